"""From image files to one tensor of pixels."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainables.data.decoder import WHITE, Decoder, Pixels, Traits
from trainables.data.tally import Tally

logger = logging.getLogger(__name__)

CHUNK = 64  # files handed to a thread at once
SECONDS_BETWEEN_MESSAGES = 5.0
COARSE = 64  # 14 bits or fewer of 16 fill less than this much of the upper 8

Decoded = dict[str, Tensor]  # "pixels", one row of "traits" per image, and "white"


def decode(root: Path, files: Sequence[str], decoder: Decoder) -> Decoded:
    """Return the images, shape (N, C, H, W), uint8, in the order of their names under `root`.

    Threads share the work. Long work is logged now and then, at level INFO. Greys of more than 8
    bits whose files do not say what is white share the least white, of an even number of bits,
    that none of them exceeds: a camera's 12 bits are kept in files of 16.

    Raises
    ------
    ValueError
        For the first file, in order, that cannot be read, or is of another kind or size.
    """
    shape = _read(root, files[0], decoder)[0].shape
    check_memory(len(files), shape)
    pixels = np.empty((len(files), *shape), dtype=np.uint8)
    traits = np.empty((len(files), len(Traits._fields)), dtype=np.int64)

    def fill(row: int, decoder: Decoder) -> None:
        image, traits[row] = _read(root, files[row], decoder)
        if image.shape != shape:
            raise ValueError(
                f"data.root={root}: {files[row]!r} has {_size(image.shape)} pixels and "
                f"{files[0]!r} has {_size(shape)}; set data.image_size to resize and crop all "
                f"images to one size, for instance data.image_size={min(shape[1:])}."
            )
        pixels[row] = image

    _each(root, range(len(files)), lambda row: fill(row, decoder))
    *_, peak, upper = traits.T
    _refuse_dark_colours(root, files, upper)
    deep = np.flatnonzero(peak >= 0)
    white = _white(int(peak.max()))
    if len(deep) and white != decoder.white:
        _each(root, deep.tolist(), lambda row: fill(row, replace(decoder, white=white)))
    return {
        "pixels": torch.from_numpy(pixels),
        "traits": torch.from_numpy(traits),
        "white": torch.tensor(white),
    }


def _each(root: Path, rows: Sequence[int], work: Callable[[int], None]) -> None:
    def several(first: int) -> int:
        chunk = rows[first : first + CHUNK]
        for row in chunk:
            work(row)
        return first + len(chunk)

    last_message = time.monotonic()
    with ThreadPoolExecutor() as threads:  # Pillow lets others work while it decodes
        for done in threads.map(several, range(0, len(rows), CHUNK)):
            if time.monotonic() - last_message > SECONDS_BETWEEN_MESSAGES:
                last_message = time.monotonic()
                logger.info("data.root=%s: decoded %d of %d images", root, done, len(rows))


def _white(peak: int) -> int:
    bits = max(8, peak.bit_length())
    return int(2 ** (bits + bits % 2) - 1)


def remarks(files: Sequence[str], decoded: Decoded) -> Tally:
    """Count what was not read as it stands, by how it was read."""
    frames, clear, peak, _ = decoded["traits"].T
    white, tally = int(decoded["white"]), Tally()
    dim = (peak >= 0) & (white != WHITE)
    for rows, how in (
        (frames > 0, "image of several frames, the first of which is read"),
        (clear > 0, "image transparent in parts, laid on white"),
        (dim, f"grey of more than 8 bits, white taken as {white}, which none exceeds"),
    ):
        for row in rows.nonzero().flatten().tolist():
            tally.add(how, files[row])
    return tally


def _refuse_dark_colours(root: Path, files: Sequence[str], upper: npt.NDArray[np.int64]) -> None:
    if 0 <= upper.max() < COARSE:
        raise ValueError(
            f"data.root={root}: the images with 16 bits per colour, such as "
            f"{files[int(upper.argmax())]!r}, use {int(upper.max()).bit_length() + 8} bits at "
            f"most, and would come out black; save them with 8 bits per colour."
        )


def _read(root: Path, file: str, decoder: Decoder) -> tuple[Pixels, Traits]:
    try:
        return decoder.read(root / file)
    except ValueError as error:
        raise ValueError(f"data.root={root}: {file!r} {error}.") from None


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
