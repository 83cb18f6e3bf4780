"""From an image file of any format to the JPEG that is packed."""

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from PIL import Image

from trainables.data import jpeg
from trainables.data.decoder import Decoder

ORIENTATION = 274  # of Exif
SMALL = 128  # pixels; what is smaller has no colours to spare
Chroma = Literal["auto", "420", "444"]
LONGEST = 65500  # pixels a side of a JPEG


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What becomes of an image.

    Parameters
    ----------
    short_side : int
        Pixels; an image whose shorter side has fewer keeps them, and a JPEG among those its bytes.
    quality : int
        Of the JPEG, 1 to 100.
    chroma : {"auto", "420", "444"}
        Colours at half the resolution or at all of it, or at all of it in small images only.
    """

    short_side: int = 256
    quality: int = 90
    chroma: Chroma = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.short_side <= 8192:
            raise ValueError(f"--size must be between 1 and 8192 pixels, got {self.short_side}.")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"--quality must be between 1 and 100, got {self.quality}.")
        if self.chroma not in get_args(Chroma):
            raise ValueError(
                f"--chroma must be one of {', '.join(get_args(Chroma))}, got {self.chroma!r}."
            )

    def __call__(self, file: bytes) -> "Encoded":
        """Return the JPEG of an image of any format.

        Raises
        ------
        ValueError
            With the end of a sentence that starts with the file's name.
        """
        if _is_kept(file, self.short_side):
            with suppress(ValueError):  # what only Pillow reads is encoded anew
                height, width, _ = jpeg.decode(file, fast=False).shape
                return Encoded(file, height, width)
        decoder = Decoder(image_size=None, channels=3, convert=True, short_side=self.short_side)
        pixels = np.ascontiguousarray(decoder.read(io.BytesIO(file))[0].transpose(1, 2, 0))
        height, width, _ = pixels.shape
        if max(height, width) > LONGEST:
            raise ValueError(
                f"has {width}x{height} pixels, and a JPEG no more than {LONGEST} a side"
            )
        small = min(height, width) < SMALL
        chroma = ("444" if small else "420") if self.chroma == "auto" else self.chroma
        return Encoded(jpeg.encode(pixels, quality=self.quality, chroma=chroma), height, width)


class Encoded(NamedTuple):
    """A JPEG and its size."""

    file: bytes
    height: int
    width: int


def _is_kept(file: bytes, short_side: int) -> bool:
    """Return whether these are the bytes to keep: to encode them again would only lose."""
    if not file.startswith(b"\xff\xd8"):
        return False
    with suppress(Exception), Image.open(io.BytesIO(file), formats=("JPEG",)) as image:
        upright = image.getexif().get(ORIENTATION, 1) in (0, 1)
        plain = image.mode == "RGB" and "progressive" not in image.info
        return upright and plain and min(image.size) <= short_side
    return False
