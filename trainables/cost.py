"""What training cost so far: the axes on which methods with different epochs are compared."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import astuple, dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from trainables import distributed
from trainables.batch import Batch
from trainables.networks.encoder import Encoder

T = TypeVar("T")
COUNTS = ("updates", "images", "flops", "forward_passes", "backward_passes")


class _FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count convolutions and matrix products, as torch's own counter does.

    That one also follows modules by hooks on their gradients, which attacks do not have.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True would import the compiler, 3 s, only to keep it out

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=result)
        return result


class _PassCounter:
    """Count images through encoders, there and back.

    A pass back is counted where a gradient arrives at an encoder's output, be it for the weights
    or for an attack's perturbation.
    """

    def __init__(self) -> None:
        self.forward = 0
        self.backward = 0
        self._depth = 0  # an encoder may be made of another

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Note that an encoder starts."""
        self._depth += isinstance(module, Encoder)

    def leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """Count an encoder that has ended, and let its output report gradients."""
        if not isinstance(module, Encoder):
            return
        self._depth -= 1
        if self._depth:
            return
        self.forward += len(output)
        if output.requires_grad:
            output.register_hook(self._back)

    def _back(self, gradient: Tensor) -> None:
        self.backward += len(gradient)


@dataclass(frozen=True)
class _Count:
    """What was counted once, on one rank."""

    flops: int = 0
    forward_passes: int = 0
    backward_passes: int = 0


class Cost:
    """Updates, images, passes and floating-point operations of all ranks together.

    Passes and operations are counted on an epoch's first update of each size and multiplied:
    within an epoch two batches of as many images and as many labels cost the same.

    Attributes
    ----------
    updates : int
        Optimizer steps.
    images : int
        Images in all batches, however many views were made of each.
    flops : int
        Operations of convolutions and matrix products, forward and backward, those of attacks
        and of preparing an epoch included; a multiply-add is two.
    forward_passes, backward_passes : int
        Images that went through an encoder, and gradients that came back through one: every view
        and every step of an attack is one more.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.images = 0
        self.flops = 0
        self.forward_passes = 0
        self.backward_passes = 0
        self._counts: dict[tuple[int, int], _Count] = {}

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Count what is done before an epoch, which every rank does for itself."""
        self._counts.clear()
        with _counting() as counted:
            yield
        self._add(counted())

    def of_update(self, batch: Batch, update: Callable[[], T]) -> T:
        """Make an update and count it."""
        size = (len(batch), len(batch.labels))
        if size in self._counts:
            result = update()
        else:
            with _counting() as counted:
                result = update()
            self._counts[size] = counted()
        self.updates += 1
        self.images += len(batch) * distributed.world_size()
        self._add(self._counts[size])
        return result

    def _add(self, count: _Count) -> None:
        ranks = distributed.world_size()
        self.flops += count.flops * ranks
        self.forward_passes += count.forward_passes * ranks
        self.backward_passes += count.backward_passes * ranks

    def metrics(self) -> dict[str, float]:
        """Return all counts by the names they are reported under."""
        return {f"cost/{name}": float(count) for name, count in self.state_dict().items()}

    def known(self) -> list[list[int]]:
        """Return what was counted of this epoch's updates of each size."""
        return [[*size, *astuple(count)] for size, count in self._counts.items()]

    def know(self, known: list[list[int]]) -> None:
        """Take over what was counted."""
        self._counts = {(one[0], one[1]): _Count(*one[2:]) for one in known}

    def state_dict(self) -> dict[str, int]:
        """Return all counts."""
        return {name: getattr(self, name) for name in COUNTS}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue counting from `state`."""
        for name in COUNTS:
            setattr(self, name, state[name])


@contextmanager
def _counting() -> Iterator[Callable[[], _Count]]:
    """Count what happens within; the value holds the counts afterwards."""
    # What is compiled would pass the counter by. Importing the compiler to ask takes seconds.
    compiles = "torch._dynamo" in sys.modules
    stance = torch.compiler.set_stance("force_eager") if compiles else nullcontext()
    passes = _PassCounter()
    hooks = [
        module_hooks.register_module_forward_pre_hook(passes.enter),
        module_hooks.register_module_forward_hook(passes.leave),
    ]
    try:
        with stance, _FlopCounter() as flops:
            yield lambda: _Count(flops.total, passes.forward, passes.backward)
    finally:
        for hook in hooks:
            hook.remove()
