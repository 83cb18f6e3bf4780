"""A plot of two axes."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from raystudy.report.drawing import marks as looks
from raystudy.report.drawing import svg
from raystudy.report.drawing.frame import Frame
from raystudy.report.drawing.legend import Entry, lay_out
from raystudy.report.drawing.marks import Look
from raystudy.report.drawing.scales import Choices, Scale

DISTINGUISHABLE = 200  # more marks than this are one path per kind, without titles
CROWDED = 0.7  # of their width, then


class Spot(NamedTuple):
    """A value pair and its title."""

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
        self.frame = Frame(x=x, y=y, x_label=x_label, y_label=y_label, width=width, height=height)
        self._parts = list(self.frame.parts())
        self._key: list[Entry] = []
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
        """Draw lines of one kind, each through finite points and with its own title."""
        paths = [(self._path(points), words) for points, words in curves]
        inside = _titled(paths)
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
            x, y = (round(place, 1) for place in self.frame.at(*point))
            if steps:  # differences are shorter; those of rounded places do not drift
                steps.append(f"{svg.coordinate(x - before[0])},{svg.coordinate(y - before[1])}")
            else:
                steps.append(f"M{svg.coordinate(x)},{svg.coordinate(y)}l")
            before = (x, y)
        return steps[0] + " ".join(steps[1:]) if len(steps) > 1 else ""

    def marks(self, spots: Sequence[Spot], look: Look) -> None:
        """Draw a mark at each finite value pair."""
        crowded = len(spots) > DISTINGUISHABLE
        word = "{:.0f}".format if crowded else svg.coordinate
        paths = []
        for spot in spots:
            if _is_finite(spot.x) and _is_finite(spot.y):
                x, y = self.frame.at(spot.x, spot.y)
                paths.append((f"M{word(x)},{word(y)}{look.path}", spot.words))
        inside = _titled(paths)
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

    def bar(self, row: Any, value: float, colour: str) -> None:
        """Draw a bar from the vertical axis to `value`, in a row of named places."""
        assert isinstance(self.frame.y, Choices)
        x, y = self.frame.at(value, row)
        half = 0.28 * (self.frame.bottom - self.frame.top) / len(self.frame.y.values)
        self._add(
            "rect",
            x=self.frame.left,
            y=y - half,
            width=max(x - self.frame.left, 0.5),
            height=2 * half,
            fill=colour,
        )

    def level(self, y: float, words: str, colour: str = looks.INK) -> None:
        """Draw a dashed horizontal line, labelled at its right end."""
        at = self.frame.down(self.frame.y.place(y))
        self._dashed(self.frame.left, at, self.frame.right, at, colour)
        if not words:
            return
        above = at - 4 if at > self.frame.top + 14 else at + 12
        self._add_text(self.frame.right, above, words, text_anchor="end", fill=colour)

    def upright(self, x: float, words: str, colour: str = looks.FAINT) -> None:
        """Draw a dashed vertical line, labelled at its top."""
        at = self.frame.across(self.frame.x.place(x))
        self._dashed(at, self.frame.top, at, self.frame.bottom, colour)
        if words:
            end = at > self.frame.right - svg.width_of(words) - 6
            anchor, shift = ("end", -4) if end else ("start", 4)
            self._add_text(at + shift, self.frame.top + 10, words, text_anchor=anchor, fill=colour)

    def words(self, x: Any, y: Any, words: str, **attributes: object) -> None:
        """Write beside a place."""
        across, down = self.frame.at(x, y)
        end = across > self.frame.right - svg.width_of(words) - 10
        anchor = "end" if end else "start"
        self._add_text(
            across + (-8 if end else 8), down - 5, words, text_anchor=anchor, **attributes
        )

    def key(self, words: str, look: Look | None = None, *, line: str = "", dash: str = "") -> None:
        """Explain a mark, or a line of a colour, above the frame."""
        self._key.append(Entry(words=words, look=look, line=line, dash=dash))

    def svg(self, label: str) -> str:
        """Return the picture, with a text alternative."""
        key, above = lay_out(self._key, self.frame.left, self.frame.width)
        height = self.frame.height + above
        back = svg.element("rect", width=self.frame.width, height=height, fill="#fff")
        shift = f"translate(0 {svg.coordinate(above)})"
        inside = svg.element("g", *self._parts, *self._words, transform=shift)
        return svg.document(self.frame.width, height, back, *key, inside, label=label)

    def _dashed(self, x1: float, y1: float, x2: float, y2: float, colour: str) -> None:
        self._add(
            "path",
            d=svg.straight(x1, y1, x2, y2),
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


def _titled(paths: Sequence[tuple[str, str]]) -> list[str]:
    """Return paths with a title each, which browsers show; without titles if very many."""
    drawn = [(path, words) for path, words in paths if path]
    if len(drawn) > DISTINGUISHABLE:
        return [svg.element("path", d="".join(path for path, _ in drawn))]
    return [svg.element("path", *([svg.title(w)] if w else []), d=path) for path, w in drawn]


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
