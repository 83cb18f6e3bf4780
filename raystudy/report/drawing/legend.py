"""The lines above a plot that explain its marks."""

from collections.abc import Sequence
from dataclasses import dataclass

from raystudy.report.drawing import marks, svg
from raystudy.report.drawing.marks import Look

ROW = 18  # pixels
SHORTER = 0.92  # small letters are narrower than the average one


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A mark, or a line of a colour, and what it stands for.

    Parameters
    ----------
    words : str
    look : Look, optional
    line : str
        Colour of the line, unless it is a mark.
    dash : str
        Of the line, in SVG.
    """

    words: str
    look: Look | None = None
    line: str = ""
    dash: str = ""

    @property
    def width(self) -> float:
        """Room it takes, in pixels."""
        return 34 + SHORTER * svg.width_of(self.words)

    def parts(self, x: float, y: float) -> list[str]:
        """Return it as SVG, its mark about a place."""
        if self.look is not None:
            mark = svg.element(
                "path",
                d=f"M{svg.coordinate(x)},{svg.coordinate(y)}{self.look.path}",
                fill="none",
                stroke=self.look.colour,
                stroke_width=self.look.width,
                stroke_linecap="round",
            )
        else:
            mark = svg.element(
                "path",
                d=f"M{svg.coordinate(x - 8)},{svg.coordinate(y)}h16",
                stroke=self.line,
                stroke_width=2.0,
                stroke_dasharray=self.dash or None,
            )
        return [mark, svg.text(x + 13, y + 4, self.words, fill=marks.INK)]


def lay_out(entries: Sequence[Entry], left: float, right: float) -> tuple[list[str], float]:
    """Return entries in as many rows as they need between two edges, and the rows' height."""
    parts: list[str] = []
    x, rows = left, 1 if entries else 0
    for entry in entries:
        if x + entry.width > right and x > left:
            x, rows = left, rows + 1
        parts += entry.parts(x + 8, (rows - 0.5) * ROW)
        x += entry.width
    return parts, rows * ROW
