"""What a picture shows, before anybody draws it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Tone = Literal["plain", "right", "wrong"]


def printable(name: str) -> str:
    r"""Return a name on one line, with what is no letter (``\n``, no UTF-8) as Python writes it."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name
    )


@dataclass(frozen=True, eq=False)
class Tile:
    """An image and what stands under it.

    Parameters
    ----------
    image : Tensor, shape (C, H, W), in [0, 1]
    caption : str
        One or more lines.
    tone : {"plain", "right", "wrong"}
        Of the caption.
    """

    image: Tensor
    caption: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Images of one size in rows and columns.

    Parameters
    ----------
    title : str
    note : str
        How the picture was made.
    tiles : sequence of sequence of Tile
        Row by row; None leaves a place empty.
    columns, rows : sequence of str
        Their names; none at all, or one for each.
    column_gaps, row_gaps : collection of int
        Columns and rows, counted from 0, that a wider gap follows.
    """

    title: str
    note: str
    tiles: Sequence[Sequence[Tile | None]]
    columns: Sequence[str] = ()
    rows: Sequence[str] = ()
    column_gaps: Collection[int] = ()
    row_gaps: Collection[int] = ()

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.tiles}
        if len(widths) != 1 or 0 in widths:
            raise ValueError(f"A grid needs rows of one length, got lengths {sorted(widths)}.")
        shapes = {tuple(t.image.shape) for row in self.tiles for t in row if t is not None}
        if len(shapes) != 1:
            raise ValueError(f"A grid needs images of one shape, got {sorted(shapes)}.")
        for names, count in ((self.columns, widths.pop()), (self.rows, len(self.tiles))):
            if names and len(names) != count:
                raise ValueError(f"A grid of {count} columns or rows got {len(names)} names.")

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of every image."""
        tile = next(tile for row in self.tiles for tile in row if tile is not None)
        height, width = tile.image.shape[1:]
        return height, width


@dataclass(frozen=True, kw_only=True, eq=False)
class Scatter:
    """Points in the plane, coloured by class.

    Parameters
    ----------
    title, note : str
    points : Tensor, shape (N, 2)
    labels : Tensor, shape (N,), int64
        Places in `classes`.
    classes : sequence of str
    """

    title: str
    note: str
    points: Tensor
    labels: Tensor
    classes: Sequence[str]


Figure = Grid | Scatter
