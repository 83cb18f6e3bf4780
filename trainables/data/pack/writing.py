"""Packing: images of a source, each once, into files that are read in any order."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from trainables.data.pack.encoding import Encoded, Encoding
from trainables.data.pack.journal import JOURNAL, Journal
from trainables.data.pack.layout import (
    IMAGES,
    INDEX,
    ROW,
    SPLITS,
    UNFINISHED,
    VERSION,
    Meta,
    digest_of,
    sha256_of,
)
from trainables.data.pack.layouts import Arrangement
from trainables.data.pack.names import write_names
from trainables.data.pack.sources import Source, fingerprint
from trainables.data.tally import Tally

try:
    import fcntl
except ImportError:  # Windows has no such lock
    fcntl = None  # type: ignore[assignment]

AHEAD = 4  # images read for each thread before they are wanted
Progress = Callable[[int, int], None]  # done, of all
T = TypeVar("T")
Done = tuple[str, T | str]  # a name with what became of its file, or with what is wrong with it
Elsewhere = Callable[[Iterable[Done[bytes]]], Iterable[Done[Encoded]]]  # in the same order


class UnreadableImagesError(ValueError):
    """Files that are called images and are none.

    Parameters
    ----------
    found : Tally
    """

    def __init__(self, found: Tally) -> None:
        super().__init__(str(found))
        self.found = found


def pack(
    source: Source,
    arrangement: Arrangement,
    out: Path,
    encoding: Encoding,
    *,
    origin: Mapping[str, str],
    threads: int,
    progress: Progress,
    elsewhere: Elsewhere | None = None,
) -> None:
    """Pack all images; what an earlier call with the same settings packed is kept.

    Parameters
    ----------
    source : Source
    arrangement : Arrangement
    out : Path
    encoding : Encoding
    origin : mapping of str to str
        ``source`` and ``made_by`` of `Meta`.
    threads : int
        That read, decode and encode.
    progress : callable
        Gets how many images are done, and how many there are.
    elsewhere : callable, optional
        Encodes what the threads then only read.

    Raises
    ------
    UnreadableImagesError
        Once all others are packed; nothing is finished, and nothing lost.
    ValueError
        If `out` is being packed by another process, or was with other settings.
    """
    with _marked(out, encoding):

        def encoded(names: Sequence[str]) -> Iterable[Done[Encoded]]:
            if elsewhere is None:
                return _each(source, names, encoding, threads)
            return elsewhere(_each(source, names, bytes, threads))

        unreadable = _add_all(source, arrangement, out, encoded, progress)
        if unreadable.counts:
            raise UnreadableImagesError(unreadable)
        print_of = fingerprint(source, sorted(_names(arrangement)))
        for split in SPLITS:
            made = {**origin, "source_fingerprint": print_of}
            _finish(source, arrangement, out / split, encoding, made)
    for split in SPLITS:
        (out / split / JOURNAL).unlink(missing_ok=True)


def _add_all(
    source: Source,
    arrangement: Arrangement,
    out: Path,
    encoded: Callable[[Sequence[str]], Iterable[Done[Encoded]]],
    progress: Progress,
) -> Tally:
    """Add the images that are not there yet; return those that cannot be read."""
    unreadable, done = Tally(), 0
    total = sum(map(len, arrangement.images.values()))
    for split in SPLITS:
        names = [image.name for image in arrangement.images[split]]
        with Journal.opened(out / split) as journal:
            todo = [name for name in names if _key(source, name) not in journal.rows]
            done += len(names) - len(todo)
            progress(done, total)
            for name, found in encoded(todo):
                if isinstance(found, Encoded):
                    journal.add(_key(source, name), found)
                else:
                    unreadable.add(found, name)
                done += 1
                progress(done, total)
    return unreadable


def _names(arrangement: Arrangement) -> Iterator[str]:
    return (image.name for part in arrangement.images.values() for image in part)


def attempt(work: Callable[[], T]) -> T | str:
    """Return what comes of it, or what is wrong with the file it is about."""
    try:
        return work()
    except (ValueError, OSError) as error:
        return getattr(error, "strerror", None) or str(error)


def _each(
    source: Source, names: Sequence[str], work: Callable[[bytes], T], threads: int
) -> Iterator[Done[T]]:
    """Yield each name, in order, with what becomes of its file."""

    def one(name: str) -> T | str:
        return attempt(lambda: work(source.read(name)))

    waiting: deque[tuple[str, Future[T | str]]] = deque()
    with ThreadPoolExecutor(threads) as pool:  # Pillow and libjpeg let others work
        try:
            for name in names:
                waiting.append((name, pool.submit(one, name)))
                if len(waiting) > AHEAD * threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _key(source: Source, name: str) -> int:
    """Return what is another one once a file was renamed or changed."""
    return digest_of(f"{name}\n{source.files[name]}".encode(errors="surrogateescape"))


def _finish(
    source: Source,
    arrangement: Arrangement,
    folder: Path,
    encoding: Encoding,
    made: Mapping[str, Any],
) -> None:
    """Write the index of a split's images, in their order, what they are and were called."""
    images = arrangement.images[folder.name]
    with Journal.opened(folder) as journal:
        entries = [journal.rows[_key(source, image.name)] for image in images]
    rows = np.zeros(len(images), dtype=ROW)
    for name in ROW.names or ():
        rows[name] = [entry[name] for entry in entries]
    rows["label"] = [image.label for image in images]
    np.save(folder / INDEX, rows, allow_pickle=False)
    Meta(
        format=VERSION,
        images=len(rows),
        size_in_bytes=(folder / IMAGES).stat().st_size,
        index_sha256=sha256_of(folder / INDEX),
        classes=arrangement.classes,
        names_sha256=write_names(folder, [image.name for image in images]),
        **asdict(encoding),
        **made,
    ).write(folder)


@contextmanager
def _marked(out: Path, encoding: Encoding) -> Iterator[None]:
    """Mark a folder as unfinished until all is there, and keep other processes out."""
    marker, settings = out / UNFINISHED, asdict(encoding)
    if marker.exists():
        _refuse_other_settings(marker, settings)
    out.mkdir(parents=True, exist_ok=True)
    with marker.open("a+") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f"{out} is being packed by another process.") from None
            except OSError:  # some network file systems have no locks
                pass
        if not marker.stat().st_size:
            file.write(json.dumps(settings))
            file.flush()
        yield
        marker.unlink()


def _refuse_other_settings(marker: Path, settings: Mapping[str, object]) -> None:
    try:
        before = json.loads(marker.read_text() or "null") or settings
    except ValueError:
        before = None
    if before != settings:
        raise ValueError(
            f"{marker.parent} holds an unfinished pack with other settings ({before}); finish it "
            f"with those, or remove the folder."
        )
