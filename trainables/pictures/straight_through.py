"""Gradients through a network's last ReLU where it is flat."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def last_relu_open(network: nn.Module, example: Tensor) -> Iterator[None]:
    """Let gradients pass a network's last ReLU as if it were the identity.

    A feature that is 0 for an image has no gradient there, and could not be raised [1]_. Values
    stay what they are. A network whose last activation is no ``nn.ReLU`` is left alone.

    Parameters
    ----------
    network : nn.Module
    example : Tensor, shape (N, C, H, W)
        To count how often ReLUs are called: one may serve several times.

    References
    ----------
    .. [1] Engstrom et al. 2019, arXiv:1906.00945; "fake ReLU" in their code.
    """
    relus = [part for part in network.modules() if isinstance(part, nn.ReLU)]
    calls = _Calls()
    handles = [part.register_forward_pre_hook(calls.note) for part in relus]
    with torch.no_grad():
        network(example)
    for handle in handles:
        handle.remove()
    calls.expect_as_many()
    handles = [part.register_forward_pre_hook(calls.keep) for part in relus]
    handles += [part.register_forward_hook(calls.open) for part in relus]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Calls:
    """Counts calls, and opens the last of each forward pass."""

    def __init__(self) -> None:
        self._made = 0
        self._per_pass = 0
        self._input: Tensor | None = None

    def note(self, module: nn.Module, inputs: Any) -> None:
        self._made += 1

    def expect_as_many(self) -> None:
        self._per_pass, self._made = self._made, 0

    def keep(self, module: nn.Module, inputs: Any) -> Any:
        """Keep what goes into the last one, and give it a copy that it may overwrite."""
        self._made += 1
        if self._made < self._per_pass:
            return None
        self._made = 0
        (self._input,) = inputs
        return (self._input.clone(),)

    def open(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        """Return the last one's value with the gradient of its input."""
        if self._input is None:
            return None
        linear, self._input = self._input, None
        return output.detach() + (linear - linear.detach())
