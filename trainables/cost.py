"""What training cost so far: the axes on which methods of unlike epochs are compared."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from trainables import distributed
from trainables.batch import Batch

T = TypeVar("T")


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


class Cost:
    """Updates, images and floating-point operations of all ranks together.

    Operations are counted on an epoch's first update of each size and multiplied: within an epoch
    two batches of as many images and as many labels cost the same.

    Attributes
    ----------
    updates : int
        Optimizer steps.
    images : int
        Images in all batches, however many views were made of each.
    flops : int
        Operations of convolutions and matrix products, forward and backward, those of attacks
        and of preparing an epoch included; a multiply-add is two.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.images = 0
        self.flops = 0
        self._flops_of: dict[tuple[int, int], int] = {}

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Count what is done before an epoch, which every rank does for itself."""
        self._flops_of.clear()
        with _counting() as counter:
            yield
        self.flops += counter.total * distributed.world_size()

    def of_update(self, batch: Batch, update: Callable[[], T]) -> T:
        """Make an update and count it."""
        size = (len(batch), len(batch.labels))
        if size in self._flops_of:
            result = update()
        else:
            with _counting() as counter:
                result = update()
            self._flops_of[size] = counter.total
        self.updates += 1
        self.images += len(batch) * distributed.world_size()
        self.flops += self._flops_of[size] * distributed.world_size()
        return result

    def metrics(self) -> dict[str, float]:
        """Return the three by the names they are reported under."""
        return {
            "cost/updates": float(self.updates),
            "cost/images": float(self.images),
            "cost/flops": float(self.flops),
        }

    def state_dict(self) -> dict[str, int]:
        """Return the three."""
        return {"updates": self.updates, "images": self.images, "flops": self.flops}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on counting from `state`."""
        self.updates, self.images, self.flops = state["updates"], state["images"], state["flops"]


@contextmanager
def _counting() -> Iterator[_FlopCounter]:
    # What is compiled would pass the counter by. Importing the compiler to ask takes seconds.
    compiles = "torch._dynamo" in sys.modules
    stance = torch.compiler.set_stance("force_eager") if compiles else nullcontext()
    with stance, _FlopCounter() as counter:
        yield counter
