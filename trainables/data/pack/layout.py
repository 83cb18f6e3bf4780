"""The files of a pack, and what is checked before any of it is used.

A pack is a folder with a folder for each split, in it ``images.bin`` (JPEGs end to end),
``index.npy`` (where each is), ``names.json`` (what they were called) and ``meta.json`` (what they
are and how they were made). While it is being made there is ``unfinished.json`` beside the splits.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

VERSION = 1
IMAGES, INDEX, META, UNFINISHED = "images.bin", "index.npy", "meta.json", "unfinished.json"
SPLITS = ("train", "val", "test")
ROW = np.dtype(
    [
        ("offset", "<i8"),
        ("length", "<i4"),
        ("height", "<i4"),
        ("width", "<i4"),
        ("label", "<i4"),
        ("digest", "<u8"),  # of the JPEG's bytes
    ]
)
KINDS = {"<class 'str'>": str, "list[str]": list}
Rows = npt.NDArray[np.void]


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What a split is and how it was made.

    Parameters
    ----------
    format : int
        Version of these files.
    images, size_in_bytes : int
        In all, and of ``images.bin``.
    index_sha256 : str
        Of ``index.npy``.
    classes : list of str
        By label.
    short_side, quality : int
        Images are no larger; those that were no larger and JPEGs before are kept byte for byte.
    chroma : str
    source : str
        Name of what was packed.
    source_fingerprint : str
        Of the names, sizes and times of change of all its files.
    made_by : str
    names_sha256 : str
        Of the names of the files; empty in packs of versions that kept none.
    """

    format: int
    images: int
    size_in_bytes: int
    index_sha256: str
    classes: list[str]
    short_side: int
    quality: int
    chroma: str
    source: str
    source_fingerprint: str
    made_by: str
    names_sha256: str = ""

    def write(self, folder: Path) -> None:
        """Write ``meta.json``."""
        (folder / META).write_text(json.dumps(asdict(self), indent=1) + "\n")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One split as it was found."""

    folder: Path
    meta: Meta
    rows: Rows


def digest_of(file: bytes) -> int:
    """Return eight bytes that are of this file alone."""
    return int.from_bytes(hashlib.blake2b(file, digest_size=8).digest(), "little")


def sha256_of(path: Path) -> str:
    """Return the hash of a small file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refuse_target(out: Path, source: Path) -> None:
    """Refuse to pack to where something else is, or among the images themselves.

    Raises
    ------
    ValueError
        With what is there.
    """
    if not source.exists():
        raise ValueError(f"{source} is neither a folder nor a tar file.")
    if out == source or source in out.parents:
        raise ValueError(f"{out} is inside {source}; choose a folder outside of the images.")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; name a folder for the packed images.")
    others = [entry.name for entry in out.iterdir()] if out.exists() else []
    odd = sorted(set(others) - {UNFINISHED, *SPLITS})
    of_a_pack = (out / UNFINISHED).exists() or (out / SPLITS[0] / META).exists()
    if odd or (others and not of_a_pack):
        raise ValueError(
            f"{out} is not empty and no pack (it holds {(odd or sorted(others))[0]!r}); choose "
            f"another folder."
        )


def read_parts(root: Path) -> dict[str, Part]:
    """Return the three splits of a pack.

    Raises
    ------
    ValueError
        In one sentence, for whatever is wrong with it.
    """
    if (root / UNFINISHED).exists():
        raise ValueError(
            f"data.root={root} is being packed, or was interrupted; wait, or finish it by the "
            f"'raystudy pack' that started it."
        )
    missing = [name for name in SPLITS if not (root / name / META).is_file()]
    if missing:
        raise ValueError(
            f"data.root={root} is no pack: there is no {missing[0]}/{META}; make one with "
            f"'raystudy pack FOLDER {root}', or read a folder of images with data=image_folder."
        )
    parts = {name: _read_part(root, name) for name in SPLITS}
    for name, part in parts.items():
        if part.meta.classes != parts["train"].meta.classes:
            raise ValueError(
                f"data.root={root}: train/ and {name}/ were packed with different lists of "
                f"classes; they are not of one pack."
            )
    return parts


def read_meta(root: Path, name: str) -> Meta:
    """Return what a split says of itself."""
    where = f"data.root={root}: {name}/{META}"
    try:
        found: Any = json.loads((root / name / META).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{where} cannot be read ({_words(error)}); pack the images anew."
        ) from None
    version = found.get("format") if isinstance(found, dict) else None
    if version != VERSION:
        raise ValueError(
            f"{where} is of format {version}, and this raystudy reads format {VERSION}; pack the "
            f"images anew."
        )
    found.setdefault("names_sha256", "")
    kinds = {field.name: KINDS.get(str(field.type), int) for field in fields(Meta)}
    if set(found) != set(kinds) or not all(isinstance(found[name], kinds[name]) for name in kinds):
        raise ValueError(f"{where} lacks what belongs there; pack the images anew.")
    names = found["classes"]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(f"{where} has classes that are no different names; pack the images anew.")
    return Meta(**found)


def _read_part(root: Path, name: str) -> Part:
    meta, folder = read_meta(root, name), root / name
    where = f"data.root={root}: {name}"
    for file in (IMAGES, INDEX):
        if not (folder / file).is_file():
            raise ValueError(f"{where}/{file} is missing; pack the images anew.")
    if sha256_of(folder / INDEX) != meta.index_sha256:
        raise ValueError(f"{where}/{INDEX} was changed after packing; pack the images anew.")
    try:
        rows: Rows = np.load(folder / INDEX, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{where}/{INDEX} cannot be read ({_words(error)}).") from None
    size = (folder / IMAGES).stat().st_size
    if size != meta.size_in_bytes:
        raise ValueError(
            f"{where}/{IMAGES} has {size:,} bytes and was packed with {meta.size_in_bytes:,}: it "
            f"was truncated or changed; copy it again, or pack the images anew."
        )
    _refuse_rows(f"{where}/{INDEX}", rows, meta)
    return Part(folder=folder, meta=meta, rows=rows)


def _refuse_rows(where: str, rows: Rows, meta: Meta) -> None:
    """Refuse an index that says what cannot be."""
    if rows.dtype != ROW or rows.ndim != 1 or len(rows) != meta.images:
        raise ValueError(f"{where} is no index of {meta.images:,} images; pack them anew.")
    room = meta.size_in_bytes - rows["length"].astype(np.int64)  # where a sum might overflow
    within = (rows["offset"] >= 0) & (rows["length"] > 0) & (rows["offset"] <= room)
    if not within.all():
        raise ValueError(
            f"{where} points outside {IMAGES} (image {int(np.argmin(within))}); pack the images "
            f"anew."
        )
    known = (rows["label"] >= 0) & (rows["label"] < len(meta.classes))
    if not known.all():
        raise ValueError(
            f"{where} has label {int(rows['label'][np.argmin(known)])} and there are "
            f"{len(meta.classes)} classes; pack the images anew."
        )
    if (rows["height"] < 1).any() or (rows["width"] < 1).any():
        raise ValueError(f"{where} has images without pixels; pack the images anew.")


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())
