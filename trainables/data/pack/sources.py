"""What is packed: the files of a folder, or of a tar."""

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Opener = Callable[[Path], Any]
# ImageNet as it is published, and where torchvision unpacks it to.
PUBLISHED = {
    "ILSVRC2012_img_train.tar": "train",  # of 1,000 tars
    "ILSVRC2012_img_val.tar": "val",
    "ILSVRC2012_devkit_t12.tar.gz": "devkit",  # with the labels of val
}
OPENERS: dict[bytes, Opener] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


class Stamp(NamedTuple):
    """By what it is seen that a file changed."""

    size: int
    changed: int  # ns


class Source(Protocol):
    """Files by their names under the root, with ``/`` between folders."""

    @property
    def files(self) -> Mapping[str, Stamp]:
        """Every file."""

    def read(self, name: str) -> bytes:
        """Return a file's content; several threads may ask."""


def fingerprint(source: Source, names: Iterable[str]) -> str:
    """Return a hash of these files' names, sizes and times of change."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\n{source.files[name]}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


@contextmanager
def open_source(path: Path, scratch: Path) -> Iterator[Source]:
    """Open a folder or a tar; tars in a tar are folders, and so are ImageNet's tars in a folder.

    Parameters
    ----------
    path : Path
    scratch : Path
        Where a compressed tar is expanded to: images are read from it in any order.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if path.is_dir():
        with ExitStack() as tars:
            named = {name: where for name, where in PUBLISHED.items() if (path / name).is_file()}
            found = {
                where: tars.enter_context(open_source(path / name, scratch))
                for name, where in named.items()
                if not (path / where).exists()  # unpacked beside
            }
            yield _Several(_Folder(path), named, found) if found else _Folder(path)
    elif path.is_file():
        with _expanded(path, scratch) as plain, _Tar.opened(plain, path) as source:
            yield source
    else:
        raise ValueError(f"{path} is neither a folder nor a tar file.")


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.files = dict(self._walk("", set()))

    def _walk(self, below: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, Stamp]]:
        """Yield every file, in folders that links lead to as well, each folder once."""
        try:
            with os.scandir(self._root / below) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise ValueError(
                f"{self._root}: the folder {below or '.'!r} cannot be read ({error.strerror})."
            ) from None
        for entry in entries:
            with contextlib.suppress(OSError):  # a link that leads nowhere
                status, name = entry.stat(), f"{below}{entry.name}"
                place = (status.st_dev, status.st_ino)
                if stat.S_ISDIR(status.st_mode) and place not in seen:
                    yield from self._walk(f"{name}/", seen | {place})
                elif stat.S_ISREG(status.st_mode):
                    yield name, Stamp(status.st_size, status.st_mtime_ns)

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()


class _Several:
    """A folder with tars in the place of some of its folders."""

    def __init__(self, folder: Source, tars: Collection[str], parts: Mapping[str, Source]) -> None:
        self._parts = {"": folder, **parts}
        own = {name: stamp for name, stamp in folder.files.items() if name not in tars}
        self._places = {name: ("", name) for name in own}
        self.files = own
        for where, part in parts.items():
            for name, stamp in part.files.items():
                self.files[f"{where}/{name}"] = stamp
                self._places[f"{where}/{name}"] = (where, name)

    def read(self, name: str) -> bytes:
        where, own = self._places[name]
        return self._parts[where].read(own)


class _Section(io.RawIOBase):
    """Part of an open file."""

    def __init__(self, file: int, start: int, size: int) -> None:
        self._file, self._start, self._size, self._place = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = max(self._size - self._place, 0)
        content = os.pread(
            self._file, left if size < 0 else min(size, left), self._start + self._place
        )
        self._place += len(content)
        return content


class _Tar:
    def __init__(self, file: int, tar: tarfile.TarFile) -> None:
        self._file = file
        self._places: dict[str, int] = {}
        self.files: dict[str, Stamp] = {}
        self._add(tar, "", 0)

    def _add(self, tar: tarfile.TarFile, below: str, start: int) -> None:
        for member in tar:
            name = below + member.name.removeprefix("./").lstrip("/")
            place = start + member.offset_data
            if member.isreg() and name.endswith(".tar"):
                inside: Any = _Section(self._file, place, member.size)
                try:
                    with tarfile.open(fileobj=inside, mode="r:") as inner:
                        self._add(inner, f"{name.removesuffix('.tar')}/", place)
                except tarfile.TarError as error:
                    raise tarfile.TarError(f"{name!r} inside it: {error}") from None
            elif member.isreg():
                self._places[name] = place
                self.files[name] = Stamp(member.size, int(member.mtime * 1e9))

    @classmethod
    @contextmanager
    def opened(cls, plain: Path, named: Path) -> Iterator["_Tar"]:
        try:
            with tarfile.open(plain, "r:") as tar, plain.open("rb") as file:
                yield cls(file.fileno(), tar)
        except tarfile.TarError as error:
            raise ValueError(f"{named} is no tar file that can be read ({error}).") from None

    def read(self, name: str) -> bytes:
        size, place = self.files[name].size, self._places[name]
        content = os.pread(self._file, size, place)
        if len(content) < size:
            raise ValueError("is cut off: the tar file ends before")
        return content


@contextmanager
def _expanded(path: Path, scratch: Path) -> Iterator[Path]:
    """Yield the tar itself if it is not compressed, else one that is not."""
    opener = _decompressor(path)
    if opener is None:
        yield path
        return
    plain = scratch / f"{path.name}.tar"
    try:
        _expand(path, opener, plain)
        yield plain
    finally:
        plain.unlink(missing_ok=True)


def _expand(path: Path, opener: Opener, plain: Path) -> None:
    try:
        with opener(path) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file, 2**20)
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed ({error or 'it is cut off'}).") from None


def _decompressor(path: Path) -> Opener | None:
    with path.open("rb") as file:
        start = file.read(6)
    found = [opener for magic, opener in OPENERS.items() if start.startswith(magic)]
    return found[0] if found else None
