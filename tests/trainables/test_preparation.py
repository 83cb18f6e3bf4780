"""Preparation of a method before it trains."""

import functools

import pytest
import torch
from torch import nn

from trainables.optim.lars import LARS
from trainables.preparation import build_optimizer


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW, LARS])
def test_a_learning_rate_below_zero_is_refused_by_the_optimizers_name(kind):
    with pytest.raises(ValueError, match=r"^optimizer.* -0\.1"):
        build_optimizer(functools.partial(kind, lr=-0.1), nn.Linear(2, 2))


def test_an_optimizer_remembers_where_its_learning_rate_began():
    optimizer = build_optimizer(functools.partial(torch.optim.SGD, lr=0.3), nn.Linear(2, 2))
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.3]
