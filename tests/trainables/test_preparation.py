"""Preparation of a method before it trains."""

import functools

import pytest
import torch
from torch import nn

from trainables import preparation
from trainables.optim.lars import LARS
from trainables.preparation import build_optimizer


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW, LARS])
def test_a_learning_rate_below_zero_is_refused_by_the_optimizers_name(kind):
    with pytest.raises(ValueError, match=r"^optimizer.* -0\.1"):
        build_optimizer(functools.partial(kind, lr=-0.1), nn.Linear(2, 2))


def test_an_optimizer_remembers_where_its_learning_rate_began():
    optimizer = build_optimizer(functools.partial(torch.optim.SGD, lr=0.3), nn.Linear(2, 2))
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.3]


@pytest.fixture
def fused_on_cpu(monkeypatch):
    monkeypatch.setattr(preparation, "FUSED_ON", {"cpu"})


def trained_by(kind, **settings):
    """Return weights, some in two dimensions of size 1, after five updates; and the optimizer."""
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 5, 1),
        nn.Flatten(),
        nn.Linear(20, 2),
    )
    network = nn.Sequential(*layers).double().to(memory_format=torch.channels_last)
    optimizer = build_optimizer(functools.partial(kind, lr=0.01, **settings), network)
    for _ in range(5):
        optimizer.zero_grad()
        network(torch.randn(6, 3, 4, 4, dtype=torch.double)).square().mean().backward()
        optimizer.step()
    return torch.cat([weight.flatten() for weight in network.parameters()]), optimizer


@pytest.mark.usefixtures("fused_on_cpu")
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 5e-4}),
        (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}),
        (torch.optim.AdamW, {"weight_decay": 0.01}),
        (torch.optim.Adam, {"weight_decay": 1e-4}),
    ],
)
def test_an_update_in_one_kernel_is_the_same_update(kind, settings):
    weights, optimizer = trained_by(kind, **settings)
    plain, other = trained_by(kind, fused=False, **settings)
    assert (optimizer.defaults["fused"], other.defaults["fused"]) == (True, False)
    assert torch.allclose(weights, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("fused_on_cpu")
def test_what_a_setting_chooses_stays_and_lars_has_its_own_kernels():
    assert trained_by(torch.optim.SGD, foreach=True)[1].defaults["fused"] is None
    assert "fused" not in trained_by(LARS)[1].defaults


def test_on_a_cpu_torch_chooses():
    assert trained_by(torch.optim.SGD)[1].defaults["fused"] is None
