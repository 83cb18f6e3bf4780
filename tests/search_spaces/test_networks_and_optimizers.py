"""Every encoder, optimizer and learning-rate schedule there is, built from its file."""

import copy

import pytest
import torch
from hydra.utils import instantiate
from torch import nn

from raystudy.config import catalogue, compose
from trainables.networks.encoder import Encoder
from trainables.optim.schedules import WarmupOntoCosine


def part(group, name, *more):
    return instantiate(compose.load("swaro", [f"{group}={name}", *more])[group], _convert_="all")


@pytest.mark.parametrize("name", catalogue.options("encoder"))
def test_an_encoder_turns_images_into_finite_features_and_passes_gradients_back(name):
    encoder = part("encoder", name)
    with torch.no_grad():  # off its first point, where a branch scaled by zero passes nothing on
        for parameter in encoder.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    images = torch.rand(4, 1, 8, 8, requires_grad=True)
    features = encoder(images)
    assert isinstance(encoder, Encoder)
    assert features.shape == (4, encoder.num_features)
    (features**2).sum().backward()
    for tensor in (images, *encoder.parameters()):
        assert tensor.grad.isfinite().all()
        assert tensor.grad.any()


@pytest.mark.parametrize("name", catalogue.options("optimizer"))
def test_an_optimizer_descends_and_resumes_bit_for_bit(name):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    target = torch.randn(2)
    factory = part("optimizer", name, "optimizer.lr=0.1")
    optimizer = factory(model.parameters())

    def step(model, optimizer):
        optimizer.zero_grad()
        loss = ((model(torch.ones(3)) - target) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [step(model, optimizer) for _ in range(5)]
    assert losses[-1] < losses[0]
    twin = copy.deepcopy(model)
    resumed = factory(twin.parameters())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert step(model, optimizer) == step(twin, resumed)
    assert torch.equal(model.weight, twin.weight)


@pytest.mark.parametrize("name", catalogue.options("lr_schedule"))
def test_a_schedule_reaches_its_peak_and_is_never_negative(name):
    schedule = part("lr_schedule", name)
    factors = [schedule(epoch, 1000) for epoch in range(1001)]
    assert max(factors) == pytest.approx(getattr(schedule, "peak", 1), rel=1e-4)
    assert min(factors) >= 0


@pytest.mark.parametrize("name", catalogue.options("lr_schedule"))
def test_a_schedule_keeps_its_shape_when_training_is_shortened(name):
    # Where a file changes between epochs only, the short training sees the long one's values; an
    # epoch that counts from one is further in the short one.
    schedule = part("lr_schedule", name)
    by_epoch = getattr(schedule, "count", "").endswith("from_one") and schedule.per_epoch
    behind = 100 * schedule.warmup if by_epoch else 0
    late = 9 if isinstance(schedule, WarmupOntoCosine) else 0
    for epoch in range(100):
        if epoch >= behind:
            long = schedule(10 * epoch + (late if epoch else 0), 1000)
            assert schedule(epoch, 100) == pytest.approx(long, rel=1e-6)


@pytest.mark.parametrize("study", ["rocl", "swaro", "trades"])
@pytest.mark.parametrize("data", ["digits", "cifar10", "cifar100"])
def test_images_reach_the_network_as_they_are_where_the_authors_do_not_normalise(study, data):
    encoder = compose.load(study, [f"data={data}"]).encoder
    assert (list(encoder.mean), list(encoder.std)) == ([0.0], [1.0])
    chosen = compose.load(study, [f"data={data}", "data.mean=[0.3]", "data.std=[0.4]"]).encoder
    assert (list(chosen.mean), list(chosen.std)) == ([0.3], [0.4])
