import pytest
import torch
from torch import nn
from torch._dynamo.backends.common import aot_autograd

from trainables.networks.folding import folded, under_attack
from trainables.networks.heads import mlp
from trainables.networks.resnet import ResNet
from trainables.networks.small_conv import SmallConv
from trainables.networks.split_batch_norm import split, use_branch

STATISTICS = {"channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
NETWORKS = {
    "small_conv": lambda: SmallConv(widths=[4, 8], **STATISTICS),
    "resnet18": lambda: ResNet(depth=18, stem="cifar", **STATISTICS),
    "resnet50": lambda: ResNet(depth=50, stem="imagenet", **STATISTICS),
    "projector": lambda: nn.Sequential(
        nn.Flatten(), mlp(3 * 64, [8], 4, batch_norm=True, last_batch_norm=True)
    ),
    "split": lambda: split(SmallConv(widths=[4, 8], **STATISTICS), ["normal", "adversarial"]),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    """Return a network in double precision whose batch norms have moved, in eval mode."""
    torch.manual_seed(0)
    network = NETWORKS[request.param]().double()
    for _ in range(3):
        network(torch.rand(6, 3, 8, 8, dtype=torch.float64))
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d) and part.affine:
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)
    return network.eval()


def values_and_slopes(network, images):
    images = images.clone().requires_grad_()
    values = network(images)
    return values.detach(), torch.autograd.grad(values.square().sum(), images)[0]


def test_values_and_input_gradients_stay_and_batch_norms_are_not_run(network):
    images, ran = torch.rand(5, 3, 8, 8, dtype=torch.float64), []
    norms = [
        part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)
    ]
    before = values_and_slopes(network, images)
    with folded(network), torch.profiler.profile() as profile:
        within = values_and_slopes(network, images)
    ran = [event.key for event in profile.key_averages() if "batch_norm" in event.key]
    assert norms
    assert ran == []
    torch.testing.assert_close(within, before, rtol=1e-9, atol=1e-12)


def test_weights_and_batch_norms_come_back_even_from_an_error(network):
    kept = dict(network.named_parameters())
    with pytest.raises(KeyError), folded(network):
        raise KeyError
    assert all(value is kept[name] for name, value in network.named_parameters())
    assert set(kept) == {name for name, _ in network.named_parameters()}
    assert not any("forward" in vars(part) for part in network.modules())


def test_folding_twice_is_folding_once(network):
    images = torch.rand(4, 3, 8, 8, dtype=torch.float64)
    with folded(network):
        once = network(images)
        with folded(network):
            assert torch.equal(network(images), once)
        assert torch.equal(network(images), once)


def test_in_train_mode_nothing_is_folded(network):
    images = torch.rand(6, 3, 8, 8, dtype=torch.float64)
    moved = [value.clone() for value in network.buffers()]
    with under_attack(network, "train"):
        assert not any("forward" in vars(part) for part in network.modules())
        network(images)
    assert any((a != b).any() for a, b in zip(moved, network.buffers(), strict=True))


def test_the_branch_in_use_is_folded():
    network = split(SmallConv(widths=[4, 8], **STATISTICS), ["one", "two"])
    with use_branch(network, "two"):
        for _ in range(3):
            network(3 * torch.rand(6, 3, 8, 8))
        network.eval()
        images = torch.rand(4, 3, 8, 8)
        expected = network(images)
        with folded(network):
            torch.testing.assert_close(network(images), expected)


def test_compiled_it_is_folded_too_and_no_gradient_of_weights_is_computed():
    network, graphs = SmallConv(widths=[4, 8], **STATISTICS).eval(), []
    images = torch.rand(4, 3, 8, 8)
    expected = values_and_slopes(network, images)

    def kept(graph, _):
        graphs.append(graph)
        return graph

    network.compile(backend=aot_autograd(fw_compiler=kept, bw_compiler=kept), dynamic=False)
    with folded(network):
        torch.testing.assert_close(values_and_slopes(network, images), expected)
    forward, backward = graphs
    assert not any("batch_norm" in str(node.target) for node in forward.graph.nodes)
    assert sum(value is not None for value in backward.graph.output_node().args[0]) == 1
    assert all(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("channels", [1, 3])
def test_products_are_planar_where_that_is_asked_for(channels):
    network = SmallConv(channels=channels, widths=[4, 8], mean=[0.5], std=[0.5]).eval()
    network = network.to(memory_format=torch.channels_last)
    before = {name: weight.stride() for name, weight in network.named_parameters()}
    images = torch.rand(2, channels, 8, 8)
    with torch.no_grad():
        expected = network(images)
        with folded(network, planar=True):
            assert network.body[0](images).is_contiguous()
            torch.testing.assert_close(network(images), expected)
    assert {name: weight.stride() for name, weight in network.named_parameters()} == before
