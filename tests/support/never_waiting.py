"""Refuse whatever would make a program wait for a GPU, on a machine that has none.

Tensors on torch's meta device stand for those of a GPU: they have shapes, and what is done with
them passes by here, but no values that anybody could ask for. ``FakeTensorMode`` would not do: its
backward asks for a CUDA context.

::

    with never_waiting():
        trainer.method.training_step(batch, progress)  # all of it on the meta device

What may wait now and then is counted instead, and the program goes on with an answer made up::

    with counting_waits() as waits:
        attack(logits_of, images, labels)
    assert waits == {"rows": 2}
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = "meta"
# Their answer, or its shape, depends on values: a GPU has to be asked for it.
ASKING = {
    "_local_scalar_dense", "_unique2", "allclose", "bincount", "equal", "histc", "is_nonzero",
    "item", "linalg_vander", "masked_select", "nonzero", "unique_consecutive", "unique_dim",
    "_linalg_check_errors", "_linalg_eigh", "_linalg_svd", "_linalg_solve_ex",
}  # fmt: skip
BY_MASK = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
COPIES = {"_to_copy", "copy_", "copy"}
# A number on the CPU may be an operand of arithmetic, not one of these parts.
NO_NUMBERS = {"cat", "stack", "where", *BY_MASK}
BY_VALUE = {
    "masked_fill",
    "masked_fill_",
    "index_fill",
    "index_fill_",
}  # read a value given as tensor
BY_INDEX = {torch.Tensor.__getitem__, torch.Tensor.__setitem__}
MAKE_TENSORS = {torch.tensor, torch.as_tensor, torch.asarray, torch.Tensor.new_tensor}


class WaitsForDeviceError(AssertionError):
    """Something would wait for the device."""


@contextmanager
def never_waiting(*, sending: bool = False) -> Iterator[None]:
    """Refuse what would wait for the device.

    Parameters
    ----------
    sending : bool
        Whether tensors may be sent to the device by ``non_blocking`` copies, as before an epoch.

    Raises
    ------
    WaitsForDeviceError
        Where it would wait.
    """
    with _NoNewTensors(), _NoQuestions(sending, None):
        yield


@contextmanager
def counting_waits(*, sending: bool = False) -> Iterator[Counter[str]]:
    """Count what is asked of the device, and refuse the rest of what would wait for it.

    ``rows`` are which are true, answered by all of them; ``numbers`` are answered by 0, and
    ``copies`` to the host by zeros.

    Parameters
    ----------
    sending : bool
        As of `never_waiting`.

    Yields
    ------
    Counter of str
    """
    waits = Counter[str]()
    with _NoNewTensors(), _NoQuestions(sending, waits):
        yield waits


class _NoNewTensors(TorchFunctionMode):
    """No list or number is made a tensor of the device: torch would make it here and copy it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in BY_INDEX and _of_device(args[:1]):
            _refuse_index(*args[1:])
        made = func(*args, **(kwargs or {}))
        given = args[1:2] if func is torch.Tensor.new_tensor else args[:1]
        if func in MAKE_TENSORS and made.device.type == DEVICE and not _of_device(given):
            raise WaitsForDeviceError(f"{func.__name__} copies a value to the device.")
        return made


class _NoQuestions(TorchDispatchMode):
    def __init__(self, sending, waits):
        super().__init__()
        self._sending = sending
        self._waits = waits

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        tensors = _tensors([args, kwargs])
        there = _of_device(tensors)
        if there and self._waits is not None and (answered := _answered(name, args[0], kwargs)):
            kind, answer = answered
            self._waits[kind] += 1
            return answer
        if there and name in ASKING:
            raise WaitsForDeviceError(f"{name} waits for values of the device.")
        if there and name == "repeat_interleave" and kwargs.get("output_size") is None:
            raise WaitsForDeviceError("repeat_interleave waits for its length, output_size.")
        if there and name in BY_MASK:
            _refuse_masks(name, args[1])
        if name in BY_VALUE and _of_device(args[-1:]):
            raise WaitsForDeviceError(f"{name} waits for the value it fills in.")
        if name in COPIES:
            self._refuse_copy(name, args, kwargs)
        elif there:
            _refuse_mixture(name, tensors)
        return func(*args, **kwargs)

    def _refuse_copy(self, name, args, kwargs):
        if name == "_to_copy":
            source, target = args[0].device, torch.device(kwargs.get("device") or args[0].device)
        else:
            target, source = args[0].device, args[1].device
        non_blocking = kwargs.get("non_blocking") or (name != "_to_copy" and args[2:] == (True,))
        if source.type == target.type or (self._sending and target.type == DEVICE and non_blocking):
            return
        if name != "_to_copy" and not args[1].dim() and target.type == DEVICE:
            return  # a number fills
        raise WaitsForDeviceError(f"{name} from {source} to {target} waits for the copy.")


def _answered(name, asked, kwargs):
    """Return what kind of a question it is and an answer, if there is one."""
    if name == "nonzero" and asked.dim() == 1:
        return "rows", torch.arange(len(asked), device=DEVICE)[:, None]
    if name == "_local_scalar_dense":
        return "numbers", False if asked.dtype == torch.bool else 0
    host = torch.device(kwargs.get("device") or DEVICE)
    if name == "_to_copy" and host.type != DEVICE:
        return "copies", torch.zeros(asked.shape, dtype=kwargs.get("dtype") or asked.dtype)
    return None


def _refuse_index(index, *assigned):
    """Refuse ``values[[0, 2]]`` and ``values[rows] = 1.0``, where what is copied is not seen."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, list) for part in parts):
        raise WaitsForDeviceError("An index copies a list to the device.")
    if assigned and _tensors([index]) and not _of_device(assigned):
        raise WaitsForDeviceError("An assignment by index copies a number to the device.")


def _refuse_masks(name, indices):
    if any(mask.dtype in (torch.bool, torch.uint8) for mask in _tensors(indices)):
        raise WaitsForDeviceError(f"{name} by a mask waits for how many it chooses.")


def _refuse_mixture(name, tensors):
    for tensor in tensors:
        if tensor.device.type != DEVICE and (tensor.dim() or name in NO_NUMBERS):
            raise WaitsForDeviceError(
                f"{name} mixes the device with a tensor on {tensor.device}, "
                f"shape {tuple(tensor.shape)}."
            )


def _tensors(values):
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


def _of_device(values):
    return [tensor for tensor in _tensors(values) if tensor.device.type == DEVICE]
