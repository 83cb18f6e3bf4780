"""Preparation of a method before it trains."""

import functools

import pytest
import torch
from torch import nn
from torch._dynamo import register_backend

from trainables.methods.simclr import SimCLR
from trainables.networks.small_conv import SmallConv
from trainables.optim.lars import LARS
from trainables.preparation import build_optimizer, prepare

compiled = []


@register_backend
def counting(graph, _):
    """Compile nothing, and count how often it was asked to."""
    compiled.append(graph)
    return graph.forward


def prepared(backend, width=2):
    encoder = SmallConv(channels=1, widths=[width], mean=[0.5], std=[0.5])
    method = SimCLR(
        encoder=encoder,
        projector_width=2,
        embedding_width=2,
        augment=lambda images: images,
        temperature=0.5,
    )
    return prepare(method, torch.device("cpu"), channels_last=False, compile_backend=backend)


def test_the_compiler_does_not_tire_of_unlike_encoders_in_one_process():
    for trial in range(1, 11):
        prepared("counting", width=trial).encoder(torch.rand(2, 1, 4, 4))
        assert len(compiled) == trial


def test_a_compiler_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"^trainer.compile_backend must be one of .*inductor"):
        prepared("nonsense")


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW, LARS])
def test_a_learning_rate_below_zero_is_refused_by_the_optimizers_name(kind):
    with pytest.raises(ValueError, match=r"^optimizer.* -0\.1"):
        build_optimizer(functools.partial(kind, lr=-0.1), nn.Linear(2, 2))


def test_an_optimizer_remembers_where_its_learning_rate_began():
    optimizer = build_optimizer(functools.partial(torch.optim.SGD, lr=0.3), nn.Linear(2, 2))
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.3]
