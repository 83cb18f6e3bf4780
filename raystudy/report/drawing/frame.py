"""The two axes of a plot, and the place of a value pair."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from raystudy.report.drawing import marks, svg
from raystudy.report.drawing.scales import Scale

TICK = 4  # pixels between an axis and its words


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A rectangle in a picture, its sides two scales.

    Parameters
    ----------
    x, y : Scale
    x_label, y_label : str
        With units; empty for none.
    width, height : float
        Of the whole picture, in pixels.
    """

    x: Scale
    y: Scale
    x_label: str
    y_label: str
    width: float
    height: float

    top = 12.0

    @cached_property
    def left(self) -> float:
        """Where the vertical axis is: its words find room."""
        widest = max((svg.width_of(words) for _, words in self.y.ticks()), default=0)
        return widest + TICK + (22 if self.y_label else 6)

    @property
    def right(self) -> float:
        """The end of the horizontal axis."""
        return self.width - 14

    @property
    def bottom(self) -> float:
        """Where the horizontal axis is."""
        return self.height - (38 if self.x_label else 22)

    def at(self, x: Any, y: Any) -> tuple[float, float]:
        """Return the place of a value pair, in pixels."""
        return self.across(self.x.place(x)), self.down(self.y.place(y))

    def across(self, place: float) -> float:
        """Return the pixel of a place in [0, 1] along the horizontal axis."""
        return self.left + place * (self.right - self.left)

    def down(self, place: float) -> float:
        """Return the pixel of a place in [0, 1] along the vertical axis."""
        return self.bottom - place * (self.bottom - self.top)

    def parts(self) -> Iterator[str]:
        """Yield the axes, their grid and their words."""
        yield from self._x_parts()
        yield from self._y_parts()

    def _x_parts(self) -> Iterator[str]:
        for place, words in self.x.ticks():
            x = self.across(place)
            yield _grid(x, self.top, x, self.bottom)
            yield svg.text(x, self.bottom + 14, words, text_anchor="middle", fill=marks.INK)
        yield _axis(self.left, self.bottom, self.right, self.bottom)
        middle, low = self.across(0.5), self.height - 6
        yield svg.text(middle, low, self.x_label, text_anchor="middle", fill=marks.INK)

    def _y_parts(self) -> Iterator[str]:
        for place, words in self.y.ticks():
            y = self.down(place)
            yield _grid(self.left, y, self.right, y)
            yield svg.text(self.left - TICK, y + 4, words, text_anchor="end", fill=marks.INK)
        yield _axis(self.left, self.top, self.left, self.bottom)
        turn = f"rotate(-90 12 {svg.coordinate(self.down(0.5))})"
        centred = {"text_anchor": "middle", "transform": turn, "fill": marks.INK}
        yield svg.text(12.0, self.down(0.5), self.y_label, **centred)


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    d = svg.straight(x1, y1, x2, y2)
    return svg.element("path", d=d, stroke=marks.GRID, stroke_width=1)


def _axis(x1: float, y1: float, x2: float, y2: float) -> str:
    d = svg.straight(x1, y1, x2, y2)
    return svg.element("path", d=d, stroke=marks.FAINT, stroke_width=1)
