"""Whether a pack is whole, and of what."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from trainables.data.pack.encoding import Encoding
from trainables.data.pack.layout import Meta, Part, read_parts
from trainables.data.pack.layouts import Arrangement, Image
from trainables.data.pack.names import read_names, write_names
from trainables.data.pack.reader import Reader
from trainables.data.pack.sources import Source, fingerprint

VERIFIED = 1024  # images between two reports of progress
Progress = Callable[[int, int], None]  # done, of all


def verify(out: Path, *, threads: int, progress: Progress) -> None:
    """Read a whole pack and compare each image with what was written.

    Raises
    ------
    ValueError
        Naming the first image that is another one.
    """
    parts = read_parts(out)
    total, done = sum(len(part.rows) for part in parts.values()), 0
    for part in parts.values():
        read_names(part.folder, part.meta)
        reader = Reader(part, "")
        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, len(part.rows), VERIFIED):
                rows = range(first, min(first + VERIFIED, len(part.rows)))
                deque(pool.map(reader.file, rows), maxlen=0)
                done += len(rows)
                progress(done, total)


def is_of(out: Path, source: Source, arrangement: Arrangement, encoding: Encoding) -> bool:
    """Return whether a finished pack is what packing these images would give."""
    parts = read_parts(out)
    part = parts["train"].meta
    names = sorted(image.name for images in arrangement.images.values() for image in images)
    same = fingerprint(source, names) == part.source_fingerprint
    splits = all(_has(part, arrangement.images[split]) for split, part in parts.items())
    return (
        same and splits and part.classes == arrangement.classes and encoding == _encoding_of(part)
    )


def add_names(out: Path, arrangement: Arrangement) -> None:
    """Add the names of the files to a pack of a version that kept none."""
    for split, part in read_parts(out).items():
        if not part.meta.names_sha256:
            names = [image.name for image in arrangement.images[split]]
            replace(part.meta, names_sha256=write_names(part.folder, names)).write(part.folder)


def _has(part: Part, images: list[Image]) -> bool:
    labels: list[int] = part.rows["label"].tolist()
    if part.meta.names_sha256:  # in whatever order they were mixed
        names = read_names(part.folder, part.meta)
        known = dict(zip(names, labels, strict=True))
        return known == dict(images)
    return [one.label for one in images] == labels


def _encoding_of(meta: Meta) -> Encoding:
    return Encoding(
        short_side=meta.short_side,
        quality=meta.quality,
        chroma=meta.chroma,  # type: ignore[arg-type]
    )
