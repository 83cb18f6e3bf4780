"""Modes and random streams are as before, whatever happened in between."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from trainables.modes import in_mode, isolated_rng


def mixed_network():
    """A network in train mode with a frozen batch norm inside."""
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))
    network[1][0].eval()
    return network


def modes(network):
    return [part.training for part in network.modules()]


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_every_part_is_in_the_mode_and_then_as_before(mode):
    network = mixed_network()
    before = modes(network)
    with in_mode(network, mode):
        assert modes(network) == [mode == "train"] * 5
    assert modes(network) == before == [True, True, True, False, True]


def test_modes_come_back_after_an_error():
    network = mixed_network()
    before = modes(network)
    with pytest.raises(KeyError), in_mode(network, "eval"):
        raise KeyError
    assert modes(network) == before


def test_eval_mode_leaves_the_statistics_of_batch_norm_alone():
    layer = nn.BatchNorm1d(2)
    with in_mode(layer, "eval"):
        layer(torch.randn(4, 2))
    assert layer.num_batches_tracked == 0
    assert torch.equal(layer.running_mean, torch.zeros(2))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="got 'training'"), in_mode(nn.ReLU(), "training"):
        pass


def draws():
    cuda = torch.rand(2, device="cuda").tolist() if torch.cuda.is_available() else []
    return torch.rand(2).tolist(), cuda, np.random.rand(2).tolist(), random.random()


def test_draws_inside_do_not_move_the_streams_outside():
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    expected = draws()
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    with isolated_rng(5):
        draws()
    assert draws() == expected


def test_the_seed_alone_decides_what_is_drawn_inside():
    with isolated_rng(5):
        first = draws()
    draws()
    with isolated_rng(5):
        assert draws() == first
    with isolated_rng(6):
        assert draws() != first


def test_streams_come_back_after_an_error():
    torch.manual_seed(1)
    expected = torch.rand(2).tolist()
    torch.manual_seed(1)
    with pytest.raises(KeyError), isolated_rng(5):
        raise KeyError
    assert torch.rand(2).tolist() == expected
