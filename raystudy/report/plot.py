"""Two axes and what is drawn between them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from raystudy.report import looks, svg
from raystudy.report.looks import Look
from raystudy.report.scales import Choices, Scale

TOLD_APART = 200  # more marks than so many are one path each kind, without words to each
CROWDED = 0.7  # of their width, then
TICK = 4  # pixels between an axis and its words
KEY = 18  # pixels of a line of explanations above the frame


class Spot(NamedTuple):
    """A value pair and what a browser says of it."""

    x: Any
    y: Any
    words: str = ""


class Plot:
    """A frame of two scales that lines, marks and words are put into, in order.

    Parameters
    ----------
    x, y : Scale
    x_label, y_label : str
        With units.
    width, height : float
        Of the whole picture, in pixels.
    """

    def __init__(
        self,
        x: Scale,
        y: Scale,
        *,
        x_label: str,
        y_label: str,
        width: float = 700,
        height: float = 280,
    ) -> None:
        self._x, self._y = x, y
        self._width, self._height = width, height
        widest = max((svg.width_of(words) for _, words in y.ticks()), default=0)
        self._left = widest + TICK + (22 if y_label else 6)
        self._right = width - 14
        self._top, self._bottom = 12.0, height - (38 if x_label else 22)
        self._key_x = self._left
        self._parts = [*self._x_axis(x_label), *self._y_axis(y_label)]
        self._words: list[str] = []  # on top of everything

    def line(
        self, points: Iterable[tuple[Any, Any]], colour: str, *, words: str = "", **style: Any
    ) -> None:
        """Draw a line through finite points; `style` as of `lines`."""
        self.lines([(points, words)], colour, **style)

    def lines(
        self,
        curves: Sequence[tuple[Iterable[tuple[Any, Any]], str]],
        colour: str,
        *,
        width: float = 1.5,
        opacity: float | None = None,
        dash: str | None = None,
    ) -> None:
        """Draw lines of one kind, each through finite points and with words of its own."""
        paths = [(self._path(points), words) for points, words in curves]
        inside = _told(paths)
        if inside:
            self._add(
                "g",
                *inside,
                fill="none",
                stroke=colour,
                stroke_width=width,
                stroke_opacity=opacity,
                stroke_dasharray=dash,
                stroke_linejoin="round",
            )

    def _path(self, points: Iterable[tuple[Any, Any]]) -> str:
        """Return a line's corners; empty for fewer than two."""
        steps: list[str] = []
        before = (0.0, 0.0)
        for point in points:
            x, y = (round(place, 1) for place in self._at(*point))
            if steps:  # differences are shorter; those of rounded places do not drift
                steps.append(f"{svg.coordinate(x - before[0])},{svg.coordinate(y - before[1])}")
            else:
                steps.append(f"M{svg.coordinate(x)},{svg.coordinate(y)}l")
            before = (x, y)
        return steps[0] + " ".join(steps[1:]) if len(steps) > 1 else ""

    def marks(self, spots: Sequence[Spot], look: Look) -> None:
        """Draw a mark at each finite value pair."""
        crowded = len(spots) > TOLD_APART
        word = "{:.0f}".format if crowded else svg.coordinate
        paths = []
        for spot in spots:
            if _is_finite(spot.x) and _is_finite(spot.y):
                x, y = self._at(spot.x, spot.y)
                paths.append((f"M{word(x)},{word(y)}{look.path}", spot.words))
        inside = _told(paths)
        if inside:
            self._add(
                "g",
                *inside,
                fill="none",
                stroke=look.colour,
                stroke_width=look.width * (CROWDED if crowded else 1),
                stroke_linecap="round",
                stroke_opacity=look.opacity,
            )

    def bar(self, row: Any, value: float, colour: str, *, opacity: float | None = None) -> None:
        """Draw a bar from the vertical axis to `value`, in a row of named places."""
        assert isinstance(self._y, Choices)
        x, y = self._at(value, row)
        half = 0.28 * (self._bottom - self._top) / len(self._y.values)
        self._add(
            "rect",
            x=self._left,
            y=y - half,
            width=max(x - self._left, 0.5),
            height=2 * half,
            fill=colour,
            fill_opacity=opacity,
        )

    def level(self, y: float, words: str, colour: str = looks.INK) -> None:
        """Draw a dashed line across at a height, and say what it is at its right end."""
        at = self._height_of(y)
        self._dashed(self._left, at, self._right, at, colour)
        above = at - 4 if at > self._top + 14 else at + 12
        self._add_text(self._right, above, words, text_anchor="end", fill=colour)

    def upright(self, x: float, words: str, colour: str = looks.FAINT) -> None:
        """Draw a dashed line upwards, and say what it is at its top."""
        at = self._left + self._x.place(x) * (self._right - self._left)
        self._dashed(at, self._top, at, self._bottom, colour)
        if words:
            end = at > self._right - svg.width_of(words) - 6
            anchor, shift = ("end", -4) if end else ("start", 4)
            self._add_text(at + shift, self._top + 10, words, text_anchor=anchor, fill=colour)

    def words(self, x: Any, y: Any, words: str, **attributes: object) -> None:
        """Write beside a place."""
        across, down = self._at(x, y)
        end = across > self._right - svg.width_of(words) - 10
        anchor = "end" if end else "start"
        self._add_text(
            across + (-8 if end else 8), down - 5, words, text_anchor=anchor, **attributes
        )

    def key(self, words: str, look: Look | None = None, *, line: str = "", dash: str = "") -> None:
        """Explain a mark, or a line of a colour, above the frame."""
        x, y = self._key_x + 8, 8.0 - KEY
        if look is not None:
            self._add(
                "path",
                d=f"M{svg.coordinate(x)},{svg.coordinate(y)}{look.path}",
                fill="none",
                stroke=look.colour,
                stroke_width=look.width,
                stroke_linecap="round",
            )
        else:
            self._add(
                "path",
                d=f"M{svg.coordinate(x - 8)},{svg.coordinate(y)}h16",
                stroke=line,
                stroke_width=2.0,
                stroke_dasharray=dash or None,
            )
        self._add_text(x + 13, y + 4, words, fill=looks.INK)
        self._key_x += 34 + 0.92 * svg.width_of(words)

    def svg(self, label: str) -> str:
        """Return the picture, with words for who cannot see it."""
        above = KEY if self._key_x > self._left else 0
        height = self._height + above
        back = svg.element("rect", width=self._width, height=height, fill="#fff")
        inside = svg.element("g", *self._parts, *self._words, transform=f"translate(0 {above})")
        return svg.document(self._width, height, back, inside, label=label)

    def _at(self, x: Any, y: Any) -> tuple[float, float]:
        return (
            self._left + self._x.place(x) * (self._right - self._left),
            self._height_of(y),
        )

    def _height_of(self, y: Any) -> float:
        return self._bottom - self._y.place(y) * (self._bottom - self._top)

    def _x_axis(self, label: str) -> Iterable[str]:
        width = self._right - self._left
        for place, words in self._x.ticks():
            x = self._left + place * width
            yield _grid(x, self._top, x, self._bottom)
            yield svg.text(x, self._bottom + 14, words, text_anchor="middle", fill=looks.INK)
        yield _axis(self._left, self._bottom, self._right, self._bottom)
        middle = (self._left + self._right) / 2
        yield svg.text(middle, self._height - 6, label, text_anchor="middle", fill=looks.INK)

    def _y_axis(self, label: str) -> Iterable[str]:
        height = self._bottom - self._top
        for place, words in self._y.ticks():
            y = self._bottom - place * height
            yield _grid(self._left, y, self._right, y)
            yield svg.text(self._left - TICK, y + 4, words, text_anchor="end", fill=looks.INK)
        yield _axis(self._left, self._top, self._left, self._bottom)
        if label:
            middle = (self._top + self._bottom) / 2
            turn = f"rotate(-90 12 {svg.coordinate(middle)})"
            yield svg.text(
                12.0, middle, label, text_anchor="middle", transform=turn, fill=looks.INK
            )

    def _dashed(self, x1: float, y1: float, x2: float, y2: float, colour: str) -> None:
        self._add(
            "path",
            d=_straight(x1, y1, x2, y2),
            stroke=colour,
            stroke_width=1,
            stroke_dasharray="5 3",
        )

    def _add(self, name: str, *children: str, **attributes: object) -> None:
        self._parts.append(svg.element(name, *children, **attributes))

    def _add_text(self, x: float, y: float, words: str, **attributes: object) -> None:
        # A white edge keeps words readable on top of marks.
        edge = {"stroke": "#fff", "stroke_width": 3, "paint_order": "stroke"}
        self._words.append(svg.text(x, y, words, **edge, **attributes))


def stairs(points: Iterable[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Return the corners of a line that keeps each value until the next point, up to `end`."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return [*corners, (end, corners[-1][1])] if corners else []


def _told(paths: Sequence[tuple[str, str]]) -> list[str]:
    """Return paths with the words a browser shows of each; without, of very many."""
    drawn = [(path, words) for path, words in paths if path]
    if len(drawn) > TOLD_APART:
        return [svg.element("path", d="".join(path for path, _ in drawn))]
    return [svg.element("path", *([svg.title(w)] if w else []), d=path) for path, w in drawn]


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return svg.element("path", d=_straight(x1, y1, x2, y2), stroke=looks.GRID, stroke_width=1)


def _axis(x1: float, y1: float, x2: float, y2: float) -> str:
    return svg.element("path", d=_straight(x1, y1, x2, y2), stroke=looks.FAINT, stroke_width=1)


def _straight(x1: float, y1: float, x2: float, y2: float) -> str:
    return "M" + "L".join(
        f"{svg.coordinate(x)},{svg.coordinate(y)}" for x, y in ((x1, y1), (x2, y2))
    )


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
