"""Figures as PNG files; matplotlib is imported when there is something to draw."""

import io
import itertools
import logging
import math
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F

from trainables.pictures.figures import Figure, Grid, Scatter, Tile, printable
from trainables.pictures.layout import Layout, enlarge, enlarged_size

DPI = 200
SIDE = 144  # of a tile: 0.72 inches
MARGIN, GAP, WIDE_GAP = 24, 6, 26
NARROWEST = 900  # pixels, so that a title has room
TITLE, NAME, SMALL = 10.0, 7.5, 6.5  # points
FRAME = 0.8  # grey of the line around a tile, which may be white
INK, FAINT = "#1a1a1a", "#5f5f5f"
TONES = {"plain": FAINT, "right": "#2b7a3d", "wrong": "#c0311f"}
LINE = 1.3  # height of a line in units of the font's size
LETTER = 0.57  # width of a letter in the same unit; measured in English: 0.54
LARGEST = 300_000  # bytes of a file; above that colours are reduced to 256


def draw(figure: Figure, heading: str) -> bytes:
    """Return a PNG; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Grid or Scatter
    heading : str
        What is looked at, such as ``swaro-1/3``; stands before the title.
    """
    # Figures and canvases are objects of this call: pyplot's are shared by all threads.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports its font cache
    from matplotlib import rc_context

    warnings.filterwarnings("ignore", "Glyph .* missing from")  # a class may be called anything
    heading = printable(heading)
    with rc_context({"text.parse_math": False}):  # a class may be called $100 to $200
        if isinstance(figure, Grid):
            return _Sheet.plan(figure, heading).draw(figure)
        return _draw_scatter(figure, heading)


@dataclass(frozen=True)
class _Sheet:
    """A page with a grid on it."""

    layout: Layout
    title: str
    note: Sequence[str]
    width: int
    height: int

    @classmethod
    def plan(cls, grid: Grid, heading: str) -> "_Sheet":
        names = [line for name in grid.rows for line in name.split("\n")]
        lines = [max(_count_lines(tile) for tile in row) for row in grid.tiles]
        layout = Layout(
            rows=len(grid.tiles),
            columns=len(grid.tiles[0]),
            tile=enlarged_size(*grid.image_size, SIDE),
            gap=GAP,
            wide_gap=WIDE_GAP,
            row_gaps=grid.row_gaps,
            column_gaps=grid.column_gaps,
            captions=tuple(_lines(n, SMALL) + (GAP if n else 0) for n in lines),
            left=MARGIN + (max(_letters(name, NAME) for name in names) + GAP if names else 0),
            top=0,
            right=MARGIN,
            bottom=MARGIN,
        )
        width = max(NARROWEST, layout.width)
        note = textwrap.wrap(grid.note, int((width - 2 * MARGIN) / _letters("x", SMALL)))
        above = _lines(1, TITLE) + _lines(len(note), SMALL) + 3 * GAP
        named = _lines(1, NAME) + 2 * GAP if grid.columns else 0
        layout = replace(layout, top=MARGIN + above + named)
        return cls(layout, f"{heading}   {grid.title}", note, width, layout.height)

    def draw(self, grid: Grid) -> bytes:
        canvas, page = _page(self.width, self.height)
        _head(page, self.width, self.height, self.title, self.note)
        for i, row in enumerate(grid.tiles):
            for j, tile in enumerate(row):
                if tile is not None:
                    self._place(page, tile, i, j)
        size = NAME if all(self._fits(name, NAME) for name in grid.columns) else SMALL
        for j, name in enumerate(grid.columns):
            box = self.layout.box(0, j)
            x, y = box.left + box.width / 2, box.top - 2 * GAP
            self._write(page, x, y, self._short(name, size), va="baseline", size=size)
        for i, name in enumerate(grid.rows):
            box = self.layout.box(i, 0)
            middle = box.top + box.height / 2
            self._write(page, self.layout.left - 2 * GAP, middle, name, ha="right", va="center")
        return _png(canvas)

    def _place(self, page: Any, tile: Tile, row: int, column: int) -> None:
        box = self.layout.box(row, column)
        pixels = F.pad(enlarge(tile.image.detach().cpu(), SIDE), (1, 1, 1, 1), value=FRAME)
        lowest = self.height - box.top - box.height
        page.figimage(pixels.permute(1, 2, 0).numpy(), box.left - 1, lowest - 1, origin="upper")
        if tile.caption:
            text = "\n".join(self._short(line, SMALL) for line in tile.caption.split("\n"))
            x, y = box.left + box.width / 2, box.top + box.height + _lines(1, SMALL)
            self._write(page, x, y, text, va="baseline", size=SMALL, color=TONES[tile.tone])

    def _fits(self, name: str, size: float) -> bool:
        return _letters(name, size) <= self.layout.tile[1] + GAP

    def _short(self, name: str, size: float) -> str:
        """Return as much of a name as is no wider than a tile."""
        if self._fits(name, size):
            return name
        return _cut(name, int(len(name) * self.layout.tile[1] / _letters(name, size)))

    def _write(
        self, page: Any, x: float, y: float, text: str, *, va: str, ha: str = "center", **style: Any
    ) -> None:
        style = {"size": NAME, "color": INK, "linespacing": 1.1, "parse_math": False, **style}
        page.text(x / self.width, 1 - y / self.height, text, ha=ha, va=va, **style)


def _draw_scatter(scatter: Scatter, heading: str) -> bytes:
    from matplotlib import colormaps

    shown = torch.unique(scatter.labels).tolist()
    names = [_cut(scatter.classes[label], 24) for label in shown]
    # A legend leaves out what starts with an underscore: a hair space stands before it.
    names = [f"\u200a{name}" if name.startswith("_") else name for name in names]
    side = 1000
    width = side + 2 * MARGIN + max(_letters(name, NAME) for name in names)
    note = textwrap.wrap(scatter.note, int((width - 2 * MARGIN) / _letters("x", SMALL)))
    top = MARGIN + _lines(1, TITLE) + _lines(len(note), SMALL) + 4 * GAP
    height = top + side - MARGIN
    canvas, page = _page(width, height)
    _head(page, width, height, f"{heading}   {scatter.title}", note)
    axes = page.add_axes(
        [MARGIN / width, MARGIN / height, (side - 2 * MARGIN) / width, (side - 2 * MARGIN) / height]
    )
    colours = colormaps["tab10" if len(shown) <= 10 else "tab20"](range(20))
    size = max(8.0, min(26.0, 20_000 / len(scatter.points)))
    for label, colour in zip(shown, itertools.cycle(colours)):
        x, y = scatter.points[scatter.labels == label].T
        axes.scatter(x, y, s=size, color=colour, label=label, linewidths=0.3, edgecolors="white")
    axes.set(xticks=[], yticks=[])
    axes.margins(0.03)
    for spine in axes.spines.values():
        spine.set(color="#bbbbbb", linewidth=0.6)
    legend = axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=NAME,
        markerscale=math.sqrt(40 / size),
        handletextpad=0.1, borderaxespad=0.0,
    )  # fmt: skip
    for entry, name in zip(legend.get_texts(), names, strict=True):
        entry.set(text=name, parse_math=False)  # a label with _ in front is left out
    return _png(canvas)


def _page(width: int, height: int) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Page

    page = Page(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    return FigureCanvasAgg(page), page


def _head(page: Any, width: int, height: int, title: str, note: Sequence[str]) -> None:
    """Write title and note at the top left."""
    x, y = MARGIN / width, 1 - MARGIN / height
    page.text(
        x, y, title, ha="left", va="top", size=TITLE, weight="bold", color=INK, parse_math=False
    )
    below = y - (_lines(1, TITLE) + GAP) / height
    page.text(
        x, below, "\n".join(note), ha="left", va="top", size=SMALL, color=FAINT, parse_math=False
    )


def _png(canvas: Any) -> bytes:
    from PIL import Image  # which matplotlib needs, too

    picture = io.BytesIO()
    canvas.print_png(picture, metadata={"Software": None}, pil_kwargs={"optimize": True})
    if picture.tell() > LARGEST:
        colours = Image.open(picture).convert("RGB").quantize(256)
        picture = io.BytesIO()
        colours.save(picture, format="PNG", optimize=True)
    return picture.getvalue()


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _count_lines(tile: Tile | None) -> int:
    return tile.caption.count("\n") + 1 if tile is not None and tile.caption else 0


def _lines(count: int, size: float) -> int:
    """Return the height of lines of text in pixels."""
    return round(count * LINE * size * DPI / 72)


def _letters(text: str, size: float) -> int:
    """Return about how wide a text is in pixels."""
    return round(len(text) * LETTER * size * DPI / 72)
