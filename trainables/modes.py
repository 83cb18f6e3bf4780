"""Context managers that restore what they found."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from torch import nn

from trainables import random_state

Mode = Literal["train", "eval"]


@contextmanager
def in_mode(module: nn.Module, mode: Mode) -> Iterator[None]:
    """Put a module in train or eval mode, and every submodule back afterwards."""
    if mode not in ("train", "eval"):
        raise ValueError(f"A mode is train or eval, got '{mode}'.")
    before = [(part, part.training) for part in module.modules()]
    module.train(mode == "train")
    try:
        yield
    finally:
        for part, was_training in before:
            part.training = was_training


@contextmanager
def isolated_rng(seed: int) -> Iterator[None]:
    """Draw from streams seeded by `seed`, and put the streams back afterwards."""
    before = random_state.capture()
    random_state.seed_everything(seed)
    try:
        yield
    finally:
        random_state.restore(before)
