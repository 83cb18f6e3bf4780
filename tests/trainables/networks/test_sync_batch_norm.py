"""Batch norm of two ranks against batch norm of one large batch."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainables import distributed
from trainables.networks.small_conv import SmallConv
from trainables.networks.sync_batch_norm import GlooSyncBatchNorm, _moments_on_cpu, convert

ROWS = 8
LAYERS = {
    "2d": lambda: nn.BatchNorm2d(3),
    "1d": lambda: nn.BatchNorm1d(3),
    "no affine": lambda: nn.BatchNorm2d(3, affine=False),
    "cumulative": lambda: nn.BatchNorm2d(3, momentum=None),
    "no statistics": lambda: nn.BatchNorm2d(3, track_running_stats=False),
}


def layer_and_rows(kind):
    torch.manual_seed(4)
    layer = LAYERS[kind]().double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer, 5 + 3 * torch.randn(ROWS, 3, *([] if kind == "1d" else [2, 2])).double()


def own_rows(rows, first_rank=None):
    """Return this rank's part of the rows: half, or `first_rank` rows on rank 0 of two."""
    if distributed.world_size() == 1:
        return rows
    return rows.tensor_split([first_rank or ROWS // 2])[distributed.rank()]


def two_steps(layer, rows, first_rank=None):
    """Return outputs, input gradients, parameter gradients and statistics after two batches."""
    results = []
    for scale in (1.0, 2.0):
        batch = (scale * own_rows(rows, first_rank)).requires_grad_()
        out = layer(batch)
        loss = ((out + batch) ** 3).sum() / ROWS
        loss.backward()
        results += [out.detach(), batch.grad]
    weights = [distributed.sum_over_ranks(p.grad) for p in layer.parameters()]
    return results, weights, dict(layer.named_buffers())


def two_steps_of_a_rank(kind, first_rank):
    layer, rows = layer_and_rows(kind)
    return two_steps(convert(layer), rows, first_rank)


@pytest.mark.parametrize(("kind", "first_rank"), [*((kind, 4) for kind in LAYERS), ("2d", 3)])
def test_values_gradients_and_statistics_are_those_of_one_large_batch(run_ranks, kind, first_rank):
    results, weights, statistics = two_steps(*layer_and_rows(kind))
    ranks = run_ranks(two_steps_of_a_rank, kind, first_rank)
    (first, *first_rest), (second, *second_rest) = ranks
    joined = [torch.cat(pair) for pair in zip(first, second, strict=True)]
    torch.testing.assert_close(joined, results, atol=1e-12, rtol=1e-12)
    for rest in (first_rest, second_rest):
        torch.testing.assert_close(rest, [weights, statistics], atol=1e-12, rtol=1e-12)


def evaluated(kind):
    layer, rows = layer_and_rows(kind)
    return convert(layer).eval()(own_rows(rows))


def test_in_eval_mode_no_rank_waits_for_another(run_ranks):
    layer, rows = layer_and_rows("2d")
    expected = layer.eval()(rows)
    assert torch.equal(torch.cat(run_ranks(evaluated, "2d")), expected)


def network_and_images():
    torch.manual_seed(5)
    network = SmallConv(channels=1, widths=[4, 8], mean=[0.3], std=[0.4]).double()
    return network, torch.rand(ROWS, 1, 8, 8).double()


def network_gradient(network, images):
    # Not a sum over rows: each rank's loss is a mean, as with every method.
    (network(own_rows(images)) ** 2).mean().backward()
    return [p.grad for p in network.parameters()]


def network_gradient_of_a_rank():
    network, images = network_and_images()
    return network_gradient(DistributedDataParallel(convert(network)), images)


def test_a_networks_gradient_under_ddp_is_that_of_one_large_batch(run_ranks):
    expected = network_gradient(*network_and_images())
    for gradients in run_ranks(network_gradient_of_a_rank):
        torch.testing.assert_close(gradients, expected, atol=1e-12, rtol=0)


def bfloat16_output():
    layer, rows = layer_and_rows("2d")
    return convert(layer.float())(own_rows(rows).bfloat16())


def test_half_precision_rows_are_averaged_in_float32(run_ranks):
    layer, rows = layer_and_rows("2d")
    expected = layer.float()(rows.bfloat16().float()).bfloat16()
    joined = torch.cat(run_ranks(bfloat16_output))
    assert joined.dtype == torch.bfloat16
    torch.testing.assert_close(joined, expected)


def test_alone_it_is_ordinary_batch_norm():
    layer, rows = layer_and_rows("2d")
    twin = convert(copy.deepcopy(layer))
    assert torch.equal(twin(rows), layer(rows))
    torch.testing.assert_close(dict(twin.named_buffers()), dict(layer.named_buffers()))


def test_conversion_keeps_parameters_buffers_mode_and_names():
    network, _ = network_and_images()
    network.body[1].eval()
    before = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    modes = [part.training for part in network.modules()]
    converted = convert(network)
    after = {**dict(converted.named_parameters()), **dict(converted.named_buffers())}
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert [part.training for part in converted.modules()] == modes
    assert sum(isinstance(part, GlooSyncBatchNorm) for part in converted.modules()) == 2


def test_converting_twice_changes_nothing():
    network = convert(network_and_images()[0])
    parts = list(network.modules())
    assert all(a is b for a, b in zip(convert(network).modules(), parts, strict=True))


@pytest.mark.parametrize("shape", [(6, 3), (1, 3), (6, 3, 5, 4), (2, 3, 4, 4, 4)], ids=str)
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (5, 1), (1000, 1), (-3, 0), (0, 1e-3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_moments_on_a_cpu_are_exact_wherever_the_values_are(shape, mean, deviation, layout):
    torch.manual_seed(0)
    rows = mean + deviation * torch.randn(shape)
    if len(shape) == 4:
        rows = rows.contiguous(memory_format=layout)
    axes = [0, *range(2, rows.dim())]
    variances, means = torch.var_mean(rows.double(), axes, correction=0)
    found, spread = _moments_on_cpu(rows)
    assert torch.allclose(found.double(), means, rtol=1e-6, atol=1e-6 * deviation)
    assert torch.allclose(spread.double(), variances, rtol=2e-5, atol=0)


def eager_and_compiled():
    torch.manual_seed(0)
    network, found = convert(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))), []
    rows = own_rows(torch.randn(ROWS, 3, 6, 6))
    for run in (network, torch.compile(network, backend="aot_eager", fullgraph=True)):
        out = run(rows)
        out.square().sum().backward()
        found.append((out.detach(), network[0].weight.grad.clone()))
        network.zero_grad()
    return found


def test_it_is_part_of_one_compiled_graph_on_two_ranks(run_ranks):
    for eager, compiled in run_ranks(eager_and_compiled):
        torch.testing.assert_close(compiled, eager, rtol=1e-5, atol=1e-4)
