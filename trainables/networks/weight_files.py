"""Files of weights from anywhere, read without running anything in them."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

REFUSED = re.compile(r"GLOBAL (\S+) was not an allowed global")
NUMBERS = re.compile(r"[bfiu]\d")
MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")  # of torch's files before they were zips
FOREIGN_STARTS = (b"PK\x03\x04", b"\x80")  # zip and pickle: torch's, whatever the ending says


class _Array:
    """Stands in for numpy's array, whose own reader trusts what a file says of its memory."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def tensor(self) -> Tensor | None:
        """Return its numbers; None where it holds text or objects."""
        _, shape, kind, is_fortran, data = self.state
        if not NUMBERS.fullmatch(kind.code):
            return None
        flat = np.frombuffer(data, np.dtype(kind.order + kind.code))
        native = flat.astype(flat.dtype.newbyteorder("="))
        return torch.from_numpy(native.reshape(shape, order="F" if is_fortran else "C").copy())


class _Kind:
    """Stands in for numpy's dtype."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


def _number(*_: Any) -> None:
    """Stand in for numpy's scalars, of which none is a weight."""


STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Kind, "numpy.dtype"),
    (_Array, "numpy.ndarray"),
    *[
        (stand_in, f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")  # before numpy 2 and since
        for stand_in, name in ((_Array, "_reconstruct"), (_number, "scalar"))
    ],
]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a safetensors file or a torch checkpoint, by their full names.

    Arrays of numpy are taken as tensors; numbers, texts and lists beside them are passed over.

    Raises
    ------
    ValueError
        If the file is not there, is neither, or holds more than tensors and plain values.
    """
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "is not there"
        raise ValueError(f"{path} {what}.")
    try:
        weights = dict(_tensors(_content(path), ""))
    except RecursionError as error:
        raise ValueError(f"{path} holds itself, without end.") from error
    except Exception as error:  # a file made to harm can make a reader fail in any way
        raise ValueError(_refusal(path, str(error))) from error
    if not weights:
        raise ValueError(f"{path} holds no tensors.")
    return weights


def _content(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(9)
        if start[8:] == b"{" and not start.startswith(FOREIGN_STARTS):
            from safetensors.torch import load_file  # training needs nothing but torch

            return load_file(path)
        file.seek(0)  # a path would be judged by its ending
        with warnings.catch_warnings(), torch.serialization.safe_globals(STAND_INS):
            warnings.simplefilter("ignore")  # about pickles of other programs
            return torch.load(file, map_location="cpu", weights_only=True)


def _tensors(node: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(node, _Array):
        node = node.tensor()
    if isinstance(node, Tensor):
        yield name, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _tensors(value, f"{name}.{key}" if name else str(key))


def _refusal(path: Path, why: str) -> str:
    if not path.stat().st_size:
        return f"{path} is empty."
    if "TorchScript" in why:
        lines = (
            f"network = torch.jit.load({str(path)!r}, map_location='cpu')",
            f"torch.save(network.state_dict(), {_beside(path)!r})",
        )
        return f"{path} is a TorchScript archive, which is a program; {_by(*lines)}"
    refused = REFUSED.search(why)
    is_newer = "Unsupported operand 149" in why  # the frame that protocol 4 starts with
    if (refused or is_newer) and _is_of_torch(path):
        lines = (
            f"found = torch.load({str(path)!r}, map_location='cpu', weights_only=False)",
            "torch.save({k: v for k, v in found.items() if isinstance(v, torch.Tensor) or "
            "isinstance(v, dict) and all(isinstance(t, torch.Tensor) for t in v.values())}, "
            f"{_beside(path)!r})",
        )
        what = refused[1] if refused else "a pickle of protocol 4 or later"
        return f"{path} holds {what}, which is no tensor and no plain value; {_by(*lines)}"
    return (
        f"{path} is neither safetensors nor a torch checkpoint of tensors and plain values, or it "
        f"is damaged; nothing in it has been run."
    )


def _is_of_torch(path: Path) -> bool:
    """Return whether torch wrote it: no other pickle can be converted by torch."""
    with path.open("rb") as file:
        start = file.read(32)
    return start.startswith(b"PK\x03\x04") or MAGIC in start


def _beside(path: Path) -> str:
    return str(path.with_name(f"{path.stem}-weights.pt"))


def _by(*lines: str) -> str:
    return (
        "nothing in it has been run. If you trust where it comes from, run this in Python, where "
        "it was made, and take the new file:\n  " + "\n  ".join(("import torch", *lines))
    )
