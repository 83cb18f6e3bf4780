"""Images of a batch from which nothing is cut yet."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from trainables import distributed


class Origin(Protocol):
    """Where the images of a batch are."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what is cut out."""

    @property
    def device(self) -> torch.device:
        """Where to cut them to."""

    def cut(self, crop: Any, first: int, last: int) -> Tensor:
        """Return a random box of each of the rows, shape (N, C, H, W), float32 in [0, 1]."""

    def middle(self, first: int, last: int) -> Tensor:
        """Return what an evaluation would see of the rows, in the same shape."""


@runtime_checkable
class BoxCrop(Protocol):
    """What cuts boxes out of images of any size; see `trainables.augment.crops`."""

    def boxes(self, numbers: Tensor, heights: Tensor, widths: Tensor) -> Any:
        """Return a box for each image."""


class WholeImages:
    """Images larger than training looks at, in the place of ``Batch.images``.

    A transform that cuts boxes asks for them by `cut`. To everyone else this is a float tensor of
    the images' middles, made when it is first used.

    Parameters
    ----------
    origin : Origin
    parts : sequence of (int, int)
        First row and last of the batch, of each of what stands one after the other.
    memory_format : torch.memory_format
        Of the tensor.
    """

    dtype = torch.float32
    ndim = 4
    requires_grad = False

    def __init__(
        self,
        origin: Origin,
        parts: Sequence[tuple[int, int]],
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self._origin = origin
        self._parts = [(first, last) for first, last in parts if first < last] or [*parts[:1]]
        self._memory_format = memory_format

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W)."""
        return torch.Size((len(self), *self._origin.shape))

    @property
    def device(self) -> torch.device:
        """Where the tensor is."""
        return self._origin.device

    def __len__(self) -> int:
        """Return N."""
        return sum(last - first for first, last in self._parts)

    def __getitem__(self, rows: Any) -> Any:
        """Return rows that are still whole, or whatever else a tensor would return."""
        if not isinstance(rows, slice) or rows.step not in (None, 1) or len(self._parts) > 1:
            return self.tensor()[rows]
        first, last, _ = rows.indices(len(self))
        start = self._parts[0][0]
        part = start + first, start + max(first, last)
        return WholeImages(self._origin, [part], self._memory_format)

    @classmethod
    def stacked(cls, batches: Sequence["WholeImages"]) -> "WholeImages":
        """Return rows of one batch, any of them more than once, as one."""
        parts = [part for images in batches for part in images._parts]
        return cls(batches[0]._origin, parts, batches[0]._memory_format)

    def cut(self, crop: Any) -> Tensor:
        """Return what a `RandomResizedCrop` cuts out of the whole images."""
        with distributed.stacked(()):  # each part draws its own
            cuts = [self._origin.cut(crop, first, last) for first, last in self._parts]
        return cuts[0] if len(cuts) == 1 else torch.cat(cuts)

    def tensor(self) -> Tensor:
        """Return the middles."""
        middles = [self._origin.middle(first, last) for first, last in self._parts]
        middle = middles[0] if len(middles) == 1 else torch.cat(middles)
        return middle.contiguous(memory_format=self._memory_format)

    def contiguous(
        self, memory_format: torch.memory_format = torch.contiguous_format
    ) -> "WholeImages":
        """Return the same images in another memory format."""
        return WholeImages(self._origin, self._parts, memory_format)

    def is_contiguous(self, memory_format: torch.memory_format = torch.contiguous_format) -> bool:
        """Return whether the tensor has this memory format."""
        return memory_format == self._memory_format

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.tensor(), name)

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Let every function of torch see the tensor."""
        plain = {name: _plain(value) for name, value in (kwargs or {}).items()}
        return function(*_plain(tuple(args)), **plain)


def _plain(value: Any) -> Any:
    if isinstance(value, WholeImages):
        return value.tensor()
    if type(value) in (list, tuple):
        return type(value)(_plain(one) for one in value)
    return value


def _operator(name: str) -> Callable[..., Any]:
    def apply(self: WholeImages, *others: Any) -> Any:
        return getattr(self.tensor(), name)(*map(_plain, others))

    return apply


# Python looks these up in the class.
for _name in ("add", "sub", "mul", "truediv", "pow", "matmul"):
    setattr(WholeImages, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("neg", "lt", "le", "gt", "ge"):
    setattr(WholeImages, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("radd", "rsub", "rmul", "rtruediv"):
    setattr(WholeImages, f"__{_name}__", _operator(f"__{_name}__"))
