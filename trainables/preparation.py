"""Preparation of a method before it trains."""

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from trainables import distributed
from trainables.batch import Batch
from trainables.methods.base import Method
from trainables.networks import sync_batch_norm
from trainables.progress import Progress

OptimizerFactory = Callable[..., Optimizer]  # of an iterator of parameters
FUSED_ON = {"cuda"}  # torch's one kernel for all weights is older there than on CPUs


def prepare(method: Method, device: torch.device, *, channels_last: bool) -> Method:
    """Move a method to a device, with its batch norms over all ranks.

    Parameters
    ----------
    method : Method
    device : torch.device
    channels_last : bool
        Memory format of convolutions.
    """
    if distributed.world_size() > 1:
        method = sync_batch_norm.convert(method)
    method = method.to(device)
    if channels_last:
        method = method.to(memory_format=torch.channels_last)
    return method


class _TrainingStep(nn.Module):
    """A method's step as a forward pass, which is what DDP wraps."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        return self.method.training_step(batch, progress)


def training_step(method: Method) -> nn.Module:
    """Return the step of a method, (batch, progress) to scalars, its gradients over all ranks."""
    step = _TrainingStep(method)
    if distributed.world_size() == 1:
        return step
    with warnings.catch_warnings():  # torch 2.15 has no other name yet for quite this
        warnings.filterwarnings("ignore", "`broadcast_buffers`", FutureWarning)
        return DistributedDataParallel(
            step,
            broadcast_buffers=False,  # they stay equal by themselves (SyncBN, pseudo-labels)
            find_unused_parameters=not method.trains_every_parameter,
            gradient_as_bucket_view=True,
            static_graph=method.trains_every_parameter,
        )


def build_optimizer(factory: OptimizerFactory, method: Method) -> Optimizer:
    """Return an optimizer of a method's parameters that knows its base learning rates.

    One of torch's own moves all weights in one kernel on a GPU, unless its settings say otherwise.

    Raises
    ------
    ValueError
        If it refuses a setting; torch's own do not say whose.
    """
    try:
        optimizer = factory(method.parameters(), **_fused(factory, method))
    except ValueError as error:
        reason = str(error)
        raise ValueError(
            reason if reason.startswith("optimizer") else f"optimizer: {reason}"
        ) from None
    _spare_dynamo_in_step(type(optimizer))
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    return optimizer


def _fused(factory: OptimizerFactory, method: Method) -> dict[str, bool]:
    """Return what makes an optimizer's update one kernel, where there is one for it."""
    known = inspect.signature(factory).parameters
    chosen = any(known[name].default is not None for name in ("fused", "foreach") if name in known)
    devices = {parameter.device.type for parameter in method.parameters()}
    return {"fused": True} if "fused" in known and not chosen and devices <= FUSED_ON else {}


def spare_dynamo() -> None:
    """Keep optimizers from importing ``torch._dynamo``, which takes 2 to 4 s of a core.

    torch imports the compiler to keep it out of the methods of its base class; where nothing is
    compiled there is nothing to keep out. A torch that does this otherwise is left alone.
    """
    for method in vars(Optimizer).values():
        inner, code = getattr(method, "__wrapped__", None), getattr(method, "__code__", None)
        if inner is not None and code and code.co_qualname.startswith("_disable_dynamo"):
            inner.__dynamo_disable = getattr(inner, "__dynamo_disable", inner)


def _spare_dynamo_in_step(kind: Any) -> None:
    """Do the same for the step of one of torch's optimizers, which is never compiled here."""
    guarded: Any = getattr(kind.step, "__wrapped__", None)  # by the hooks of every optimizer
    code = getattr(guarded, "__code__", None)
    if code and code.co_qualname.startswith("_use_grad_for_differentiable"):
        kind.step = Optimizer.profile_hook_step(_without_graph_breaks(guarded.__wrapped__))
        kind.step.hooked = True


def _without_graph_breaks(step: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(step)
    def eager(self: Optimizer, *arguments: Any, **options: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *arguments, **options)

    return eager
