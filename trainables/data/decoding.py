"""From image files to one tensor of pixels."""

import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

logger = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]

CHUNK = 64  # files handed to a thread at once
SECONDS_BETWEEN_MESSAGES = 5.0


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """Read images as 8-bit pixels of one kind.

    Parameters
    ----------
    image_size : int, optional
        Shorten the shorter side to so many pixels and cut out the middle; None takes images as
        they are.
    channels : {1, 3}
        Grey or colour.
    convert : bool
        Turn images of the other kind into this one; otherwise refuse them.
    """

    image_size: int | None
    channels: int
    convert: bool

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
            With the end of a sentence that begins with the file's name.
        """
        try:
            with Image.open(path) as file:
                file.load()
                image = ImageOps.exif_transpose(file)  # as the camera was held
        except Exception as error:  # Pillow's decoders raise whatever they like
            raise ValueError(f"is not a readable image ({error})") from None
        image = self._in_kind(image)
        if self.image_size is not None:
            size = (self.image_size, self.image_size)
            image = ImageOps.fit(image, size, Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
        return pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1)

    def _in_kind(self, image: Image.Image) -> Image.Image:
        if image.mode == "F":
            raise ValueError("holds floating-point numbers, which have no common scale")
        is_grey = image.mode in ("1", "L", "LA", "La", "I") or image.mode.startswith("I;16")
        if is_grey != (self.channels == 1) and not self.convert:
            found, wanted, other = ("grey", "colour", 1) if is_grey else ("colour", "grey", 3)
            raise ValueError(
                f"is {found} and data.channels={self.channels} asks for {wanted}; set "
                f"data.convert=true to turn all images into {wanted}, or data.channels={other} if "
                f"all are {found}"
            )
        if image.mode.startswith("I"):  # 16 bits, which convert() would clip instead of scale
            image = Image.fromarray((np.asarray(image) // 257).clip(0, 255).astype(np.uint8))
        if "transparency" in image.info:
            image = image.convert("RGBA")  # or Pillow warns that it drops it
        return image.convert("L" if self.channels == 1 else "RGB")


def decode(root: Path, files: Sequence[str], decoder: Decoder) -> Tensor:
    """Return the images, shape (N, C, H, W), uint8, in the order of their names under `root`.

    Threads share the work. Long work is logged now and then, at level INFO.

    Raises
    ------
    ValueError
        For the first file, in order, that cannot be read, or is of another kind or size.
    """
    shape = _read(root, files[0], decoder).shape
    check_memory(len(files), shape)
    pixels = np.empty((len(files), *shape), dtype=np.uint8)

    def fill(first: int) -> int:
        for row in range(first, min(first + CHUNK, len(files))):
            image = _read(root, files[row], decoder)
            if image.shape != shape:
                raise ValueError(
                    f"data.root={root}: '{files[row]}' has {_size(image.shape)} pixels and "
                    f"'{files[0]}' has {_size(shape)}; set data.image_size to resize and crop all "
                    f"images to one size, for instance data.image_size={min(shape[1:])}."
                )
            pixels[row] = image
        return min(first + CHUNK, len(files))

    last_message = time.monotonic()
    with ThreadPoolExecutor() as threads:  # Pillow lets others work while it decodes
        for done in threads.map(fill, range(0, len(files), CHUNK)):
            if time.monotonic() - last_message > SECONDS_BETWEEN_MESSAGES:
                last_message = time.monotonic()
                logger.info("data.root=%s: decoded %d of %d images", root, done, len(files))
    return torch.from_numpy(pixels)


def _read(root: Path, file: str, decoder: Decoder) -> Pixels:
    try:
        return decoder(root / file)
    except ValueError as error:
        raise ValueError(f"data.root={root}: '{file}' {error}.") from None


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[2]}x{shape[1]}"


def check_memory(count: int, shape: tuple[int, ...]) -> None:
    """Refuse more pixels than half of this machine's memory holds."""
    needed = count * int(np.prod(shape))
    if not hasattr(os, "sysconf"):  # Windows
        return
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there / 2:
        raise ValueError(
            f"data.image_size: {count} images of {_size(shape)} pixels take {needed / 1e9:.1f} GB "
            f"and this machine has {there / 1e9:.1f} GB; choose a smaller data.image_size."
        )
