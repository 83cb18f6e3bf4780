"""One image file as 8-bit pixels."""

import functools
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

Pixels = npt.NDArray[np.uint8]

# Pillow knows these and needs another program, or a library it does not bring, to decode them.
NOT_DECODED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"})
COMMON = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000")
UNREGISTERED = (".jif", ".jfi", ".pjp", ".pjpeg", ".mpo")  # JPEG as well
WHITE = 65535
DRAFT = 2  # times the size wanted, so that what is left to shorten is not seen
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, Section 8


class Traits(NamedTuple):
    """What is said of an image, or settled for all of a folder together."""

    frames: bool  # has more than the one that is read
    clear: bool  # partly transparent
    peak: int  # largest number of a grey whose file does not say what is white, else -1
    upper: int  # largest upper 8 of 16 bits per colour, else -1


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """Read images as 8-bit pixels of one kind.

    Of several frames the first is read; what is transparent is laid on white.

    Parameters
    ----------
    image_size : int, optional
        Shorten the shorter side to so many pixels and cut out the middle; None takes images as
        they are.
    channels : {1, 3}
        Grey or colour.
    convert : bool
        Turn images of the other kind into this one; otherwise refuse them.
    white : int
        What is white in greys of more than 8 bits whose file does not say.
    short_side : int, optional
        Shorten the shorter side to so many pixels where it has more, and cut nothing out.
    """

    image_size: int | None
    channels: int
    convert: bool
    white: int = WHITE
    short_side: int | None = field(default=None, repr=False)  # the rest names files of pixels

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"data.channels must be 1 (grey) or 3 (colour), got {self.channels}.")
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"data.image_size must be at least 1, got {self.image_size}.")

    def __call__(self, path: Path) -> Pixels:
        """Return the image, shape (C, H, W).

        Raises
        ------
        ValueError
            With the end of a sentence that starts with the file's name.
        """
        return self.read(path)[0]

    def read(self, path: Path | io.BytesIO) -> tuple[Pixels, Traits]:
        """Return the image, shape (C, H, W), and its traits."""
        try:
            with Image.open(path, formats=_formats()) as file:
                if self.short_side is not None and file.mode == "RGB":
                    # A JPEG of a camera is decoded at an eighth, a quarter or half of its size.
                    file.draft("RGB", (DRAFT * self.short_side, DRAFT * self.short_side))
                halved, white = _is_halved(file), _declared_white(file)
                file.load()
                # PSD has layers; MPO a thumbnail or a map of depths beside its picture.
                frames = getattr(file, "is_animated", False) and file.format not in ("MPO", "PSD")
                inverted = _is_inverted(file)
                image = ImageOps.exif_transpose(file)  # as the camera was held
        except Exception as error:  # Pillow's decoders raise whatever they like
            raise ValueError(f"is not a readable image ({_reason(path, error)})") from None
        self._refuse_other_kind(image.mode)
        peak, upper = -1, int(np.asarray(image).max()) if halved else -1
        if image.mode.startswith("I"):
            peak = -1 if white else int(np.asarray(image).max())
            image = _eight_bits(image, white or self.white, inverted=inverted)
        image, clear = self._in_kind(image)
        if self.image_size is not None:
            size = (self.image_size, self.image_size)
            image = ImageOps.fit(image, size, Image.Resampling.BILINEAR)
        image = self._shortened(image)
        pixels = np.asarray(image)
        pixels = pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1)
        return pixels, Traits(frames, clear, peak, upper)

    def _shortened(self, image: Image.Image) -> Image.Image:
        short, side = min(image.size), self.short_side
        if side is None or short <= side:
            return image
        width, height = (max(side, round(length * side / short)) for length in image.size)
        return image.resize((width, height), Image.Resampling.BILINEAR)

    def _refuse_other_kind(self, mode: str) -> None:
        if mode == "F":
            raise ValueError("holds floating-point numbers, which have no common scale")
        is_grey = mode in ("1", "L", "LA", "La") or mode.startswith("I")
        if is_grey != (self.channels == 1) and not self.convert:
            found, wanted, other = ("grey", "colour", 1) if is_grey else ("colour", "grey", 3)
            raise ValueError(
                f"is {found} and data.channels={self.channels} asks for {wanted}; set "
                f"data.convert=true to turn all images into {wanted}, or data.channels={other} if "
                f"all are {found}"
            )

    def _in_kind(self, image: Image.Image) -> tuple[Image.Image, bool]:
        """Return the image in this kind, on white, and whether that shows."""
        clear = False
        try:
            if image.has_transparency_data:
                image = image.convert("RGBA")
                clear = image.getchannel("A").getextrema() != (255, 255)
            if clear:  # the colours of what cannot be seen are mostly black, as drawn lines are
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return image.convert("L" if self.channels == 1 else "RGB"), clear
        except ValueError:
            raise ValueError(f"is stored as {image.mode}, which cannot be converted") from None


@functools.cache
def endings() -> frozenset[str]:
    """Return the endings, in small letters, of files that this Pillow decodes."""
    decoded = _formats()
    known = Image.registered_extensions().items()
    return frozenset(UNREGISTERED).union(end for end, name in known if name in decoded)


def is_image(path: str) -> bool:
    """Return whether a file, whatever its name, starts as an image of a common format."""
    try:
        with Image.open(path, formats=COMMON):
            return True
    except Exception:  # as above
        return False


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.OPEN if name not in NOT_DECODED)


def _reason(path: Path | io.BytesIO, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # which says a path once more
        size = path.stat().st_size if isinstance(path, Path) else len(path.getbuffer())
        return "of no known format" if size else "an empty file"
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or " ".join(str(error).split()) or type(error).__name__


def _is_halved(file: Image.Image) -> bool:
    """Return whether Pillow keeps the upper 8 of 16 bits per colour; known before it loads."""
    tile = str(getattr(file, "tile", [])[:1])
    return file.mode in ("RGB", "RGBA", "L", "LA") and ";16" in tile.replace("BGR;16", "")


def _declared_white(file: Image.Image) -> int | None:
    """Return what the file says is white, if it does; known before it loads."""
    if file.format == "PPM":
        tile = str(getattr(file, "tile", [])[:1])
        # Pillow scales to 65535 what has another largest value; 65535 itself is often untrue.
        return None if "I;16" in tile or "65535" in tile else WHITE
    bits = getattr(file, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0]
    return int(2**bits - 1) if bits < 16 else None


def _is_inverted(file: Image.Image) -> bool:
    """Return whether 0 is white in a grey of 16 bits; Pillow minds it in those of 8."""
    return bool(getattr(file, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO)


def _eight_bits(image: Image.Image, white: int, *, inverted: bool) -> Image.Image:
    """Return a deeper grey in 8 bits, which convert() would clip instead of scale."""
    numbers = np.asarray(image).astype(np.int64)
    if numbers.min() < 0:
        raise ValueError("holds numbers below 0, which are no greys")
    levels = (numbers * 255 // white).clip(0, 255).astype(np.uint8)
    return Image.fromarray(255 - levels if inverted else levels)
