"""Split batch norms: branches that share every weight but their own."""

import pytest
import torch
from torch import nn

from trainables.networks.small_conv import SmallConv
from trainables.networks.split_batch_norm import SplitBatchNorm, keep_branch, split, use_branch
from trainables.networks.sync_batch_norm import GlooSyncBatchNorm, convert

NAMES = ["normal", "attacked"]


def encoder():
    torch.manual_seed(0)
    return SmallConv(channels=1, widths=[4, 8], mean=[0.3], std=[0.4])


def batch_norm_state(network):
    return {name: value.clone() for name, value in network.state_dict().items() if "body.1" in name}


def test_begins_as_the_network_that_was_split():
    images = torch.rand(4, 1, 8, 8)
    expected, network = encoder()(images), split(encoder(), NAMES)
    assert torch.equal(network(images), expected)
    with use_branch(network, "attacked"):
        assert torch.equal(network(images), expected)


def test_only_the_branch_in_use_sees_images():
    network = split(encoder(), NAMES)
    before = batch_norm_state(network)
    with use_branch(network, "attacked"):
        network(torch.rand(4, 1, 8, 8))
    after = batch_norm_state(network)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        f"body.1.branches.attacked.{name}"
        for name in ("running_mean", "running_var", "num_batches_tracked")
    }


def test_only_the_branch_in_use_gets_a_gradient():
    network = split(encoder(), NAMES)
    with use_branch(network, "attacked"):
        network(torch.rand(4, 1, 8, 8)).sum().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == ("branches.normal" in name)


def test_the_branch_before_is_in_use_again_afterwards_even_after_an_error():
    network = split(encoder(), NAMES)
    with use_branch(network, "attacked"):
        with pytest.raises(KeyError), use_branch(network, "normal"):
            raise KeyError
        assert network.body[1].active == "attacked"
    assert network.body[1].active == "normal"


def test_a_kept_branch_is_an_ordinary_network():
    network = split(encoder(), NAMES)
    with use_branch(network, "attacked"):
        network(torch.rand(4, 1, 8, 8))
        expected = network.eval()(torch.rand(1, 1, 8, 8).fill_(0.5))
    plain = encoder().eval()
    plain.load_state_dict(keep_branch(network, "attacked").state_dict())
    assert torch.equal(plain(torch.full((1, 1, 8, 8), 0.5)), expected)


def test_splitting_twice_changes_nothing():
    network = split(split(encoder(), NAMES), ["other"])
    assert list(network.body[1].branches) == NAMES


def test_branches_become_synchronised():
    network = convert(split(encoder(), NAMES))
    assert all(
        isinstance(branch, GlooSyncBatchNorm) for branch in network.body[1].branches.values()
    )


def test_unknown_and_repeated_names_are_refused():
    with (
        pytest.raises(ValueError, match="got 'clean'"),
        use_branch(split(encoder(), NAMES), "clean"),
    ):
        pass
    with pytest.raises(ValueError, match="different names"):
        SplitBatchNorm(nn.BatchNorm2d(3), ["a", "a"])
