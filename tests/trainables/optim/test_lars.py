"""LARS against its definition, its symmetries and lightly's."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightly.utils.lars import LARS as LightlyLARS  # noqa: N811
from torch import nn

from trainables.optim.lars import LARS


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)
    ).double()


def take_steps(model, optimizer, steps=3):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images = torch.randn(5, 1, 4, 4, generator=generator, dtype=torch.float64)
        optimizer.zero_grad()
        (model(images) ** 2).mean().backward()
        optimizer.step()


def step_by_definition(weight, gradient, velocity, *, lr, momentum, decay, trust, eps):
    """One tensor's update, one number at a time."""
    length = math.sqrt(sum(w**2 for w in weight))
    slope = math.sqrt(sum(g**2 for g in gradient))
    rate = trust * length / (slope + decay * length + eps)
    velocity = [
        momentum * v + rate * (g + decay * w)
        for v, g, w in zip(velocity, gradient, weight, strict=True)
    ]
    return [w - lr * v for w, v in zip(weight, velocity, strict=True)], velocity


@given(
    st.integers(0, 2**31),
    st.floats(1e-3, 10),
    st.floats(0, 0.99),
    st.floats(0, 0.1),
    st.floats(1e-4, 0.1),
)
def test_two_steps_equal_the_definition(seed, lr, momentum, decay, trust):
    generator = torch.Generator().manual_seed(seed)
    weight = nn.Parameter(torch.randn(2, 3, generator=generator, dtype=torch.float64))
    numbers = {"lr": lr, "momentum": momentum, "trust": trust, "eps": 1e-8}
    optimizer = LARS([weight], weight_decay=decay, **numbers)
    expected, velocity = weight.flatten().tolist(), [0.0] * 6
    for _ in range(2):
        weight.grad = torch.randn(2, 3, generator=generator, dtype=torch.float64)
        gradient = weight.grad.flatten().tolist()
        expected, velocity = step_by_definition(
            expected, gradient, velocity, decay=decay, **numbers
        )
        optimizer.step()
    assert weight.flatten().tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def with_rates(model, optimizer, rates, update):
    """Descend as often as there are rates; `update` takes the parameters that have a gradient."""
    generator = torch.Generator().manual_seed(2)
    for rate in rates:
        images = torch.randn(5, 1, 4, 4, generator=generator, dtype=torch.float64)
        model.zero_grad()
        (model(images) ** 2).mean().backward()
        if optimizer is None:
            update(rate)
        else:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()


RATES = [0.0, 0.3, 1.5, 0.02, 0.7]


@pytest.mark.parametrize("trust", [1e-3, 0.02, 5.0])
def test_with_a_capped_rate_it_is_solo_learns(trust):
    ours, theirs, velocities = network(), network(), {}

    def official(rate):
        for p in theirs.parameters():
            direction = p.grad.clone()
            if p.ndim != 1:
                length, slope = p.detach().norm(), p.grad.norm()
                lars_lr = trust * length / (slope + 1e-2 * length + 1e-8)
                lars_lr = min(lars_lr / rate, 1) if rate else 1
                direction = (direction + 1e-2 * p.detach()) * lars_lr
            velocities[p] = 0.9 * velocities.get(p, 0) + direction
            p.data.add_(velocities[p], alpha=-rate)

    options = {"weight_decay": 1e-2, "trust": trust, "exclude_1d": True, "clip_lr": True}
    with_rates(ours, LARS(ours.parameters(), lr=1.0, **options), RATES, None)
    with_rates(theirs, None, RATES, official)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), atol=1e-14, rtol=1e-12)


def test_no_tensor_moves_at_more_than_the_capped_rate():
    weight, gradient = torch.full((2, 3), 100.0), torch.ones(2, 3)  # trust 1e-3: lambda is 0.1
    for lr, moved in [(0.03, 0.03), (0.3, 0.1)]:
        parameter = nn.Parameter(weight.clone())
        parameter.grad = gradient.clone()
        LARS([parameter], lr=lr, clip_lr=True).step()
        torch.testing.assert_close(weight - parameter.detach(), moved * gradient, rtol=1e-4, atol=0)


def test_with_the_rate_in_its_momentum_it_is_acls():
    ours, theirs, velocities = network(), network(), {}
    for model in (ours, theirs):  # a bias in front of a batch norm: its gradient is rounding only
        model[0].bias.requires_grad_(False)

    def official(rate):
        for p in [p for p in theirs.parameters() if p.requires_grad]:
            length, slope = p.detach().norm(), p.grad.norm()
            local = 1e-3 * length / (slope + 1e-2 * length)
            if length < 1e-15 or slope < 1e-15:
                local = 1.0
            step = local * rate * (p.grad + 1e-2 * p.detach())
            velocities[p] = 0.9 * velocities.get(p, 0) + step
            p.data.sub_(velocities[p])

    optimizer = LARS(ours.parameters(), lr=1.0, weight_decay=1e-2, eps=0.0, rate_in_momentum=True)
    with_rates(ours, optimizer, RATES, None)
    with_rates(theirs, None, RATES, official)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), atol=1e-14, rtol=1e-12)


def test_with_the_rate_in_its_momentum_and_1d_excluded_it_is_suncets():
    ours, theirs, velocities = network(), network(), {}

    def official(rate):
        for p in theirs.parameters():
            gradient = p.grad.clone()
            if p.ndim > 1:
                length, slope = p.detach().norm(), p.grad.norm()
                gradient += 1e-2 * p.detach()
                gradient *= 1e-3 * length / (slope + length * 1e-2 + 1e-8)
            velocities[p] = 0.9 * velocities.get(p, 0) - rate * gradient
            p.data.add_(velocities[p])

    options = {"weight_decay": 1e-2, "exclude_1d": True, "rate_in_momentum": True}
    with_rates(ours, LARS(ours.parameters(), lr=1.0, **options), RATES, None)
    with_rates(theirs, None, RATES, official)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), atol=1e-14, rtol=1e-12)


def test_where_the_rate_is_kept_matters_only_if_it_changes():
    inside, outside = network(), network()
    take_steps(inside, LARS(inside.parameters(), lr=0.3, exclude_1d=True, rate_in_momentum=True))
    take_steps(outside, LARS(outside.parameters(), lr=0.3, exclude_1d=True))
    torch.testing.assert_close(inside.state_dict(), outside.state_dict(), atol=1e-14, rtol=1e-12)


def test_a_state_from_before_there_were_these_options_goes_on_without_them():
    model = network()
    optimizer = LARS(model.parameters(), lr=0.3)
    take_steps(model, optimizer)
    state = optimizer.state_dict()
    for option in ("clip_lr", "rate_in_momentum"):
        del state["param_groups"][0][option]
    successor = LARS(model.parameters(), lr=0.3)
    successor.load_state_dict(state)
    take_steps(model, successor, steps=1)
    assert successor.param_groups[0]["rate_in_momentum"] is False


def change(weight, gradient, **options):
    parameter = nn.Parameter(weight.clone())
    parameter.grad = gradient
    LARS([parameter], lr=1.0, **options).step()
    return (parameter - weight).detach()


@given(st.integers(0, 2**31), st.floats(1e-3, 1e3))
def test_the_gradients_length_does_not_matter(seed, length):
    generator = torch.Generator().manual_seed(seed)
    weight, gradient = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    expected = change(weight, gradient, eps=0.0)
    torch.testing.assert_close(change(weight, length * gradient, eps=0.0), expected)
    assert expected.norm().item() == pytest.approx(1e-3 * weight.norm().item())


@given(st.integers(0, 2**31), st.floats(1e-3, 1e3))
def test_a_scaled_network_moves_in_the_same_direction_by_the_same_share(seed, scale):
    # Where the loss does not see the scale, as before a batch norm, the gradient is 1 / scale.
    generator = torch.Generator().manual_seed(seed)
    weight, gradient = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    moved = change(scale * weight, gradient / scale, eps=0.0)
    torch.testing.assert_close(moved, scale * change(weight, gradient, eps=0.0))


def lightly_like(model, **numbers):
    return LightlyLARS(model.parameters(), trust_coefficient=1e-3, eps=1e-8, **numbers)


def test_agrees_with_lightly_when_nothing_is_excluded():
    # Where they differ: without weight decay lightly does not scale at all, and it leaves a
    # tensor without gradient undecayed; torchlars, which RoCL used, does as we do.
    ours, theirs = network(), network()
    numbers = {"lr": 1.5, "momentum": 0.9, "weight_decay": 1e-3}
    take_steps(ours, LARS(ours.parameters(), **numbers))
    take_steps(theirs, lightly_like(theirs, **numbers))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), atol=1e-14, rtol=1e-12)


def test_agrees_with_lightly_when_biases_and_batch_norm_are_excluded():
    ours, theirs = network(), network()
    take_steps(ours, LARS(ours.parameters(), lr=0.5, weight_decay=1e-3, exclude_1d=True))
    weights = [p for p in theirs.parameters() if p.dim() > 1]
    others = [p for p in theirs.parameters() if p.dim() <= 1]
    groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    take_steps(theirs, LightlyLARS(groups, lr=0.5, momentum=0.9, weight_decay=1e-3))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), atol=1e-14, rtol=1e-12)


def test_what_is_excluded_moves_as_in_plain_sgd():
    ours, sgd = nn.Parameter(torch.randn(3)), nn.Parameter(torch.zeros(3))
    sgd.data.copy_(ours.data)
    ours.grad = sgd.grad = torch.randn(3)
    LARS([ours], lr=0.1, weight_decay=0.5, exclude_1d=True).step()
    torch.optim.SGD([sgd], lr=0.1, momentum=0.9).step()
    torch.testing.assert_close(ours, sgd)


def test_a_tensor_of_zeros_moves_as_in_plain_sgd():
    weight = nn.Parameter(torch.zeros(2, 3))
    weight.grad = torch.ones(2, 3)
    LARS([weight], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 3), -0.1))


def test_parameters_without_a_gradient_and_the_gradients_themselves_are_left_alone():
    used, unused = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    used.grad = torch.full((2, 2), 3.0)
    LARS([used, unused], lr=1.0, weight_decay=0.1).step()
    assert torch.equal(unused, torch.ones(2, 2))
    assert torch.equal(used.grad, torch.full((2, 2), 3.0))


@pytest.mark.parametrize("exclude_1d", [False, True])
def test_resumes_bit_for_bit_from_its_state(exclude_1d, tmp_path):
    straight = network()
    optimizer = LARS(straight.parameters(), lr=0.3, weight_decay=1e-4, exclude_1d=exclude_1d)
    take_steps(straight, optimizer)
    resumed = copy.deepcopy(straight)
    torch.save(optimizer.state_dict(), tmp_path / "state")
    successor = LARS(resumed.parameters(), lr=99.0)
    successor.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    take_steps(straight, optimizer)
    take_steps(resumed, successor)
    assert all(
        torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True)
    )


def test_a_closure_is_evaluated_with_gradients():
    weight = nn.Parameter(torch.ones(2, 2))

    def closure():
        loss = (weight**2).sum()
        loss.backward()
        return loss.item()

    assert LARS([weight], lr=1.0).step(closure) == 4.0
    assert weight.grad is not None


@pytest.mark.parametrize("bad", [{"lr": -1.0}, {"weight_decay": -1.0}, {"momentum": 1.0}])
def test_impossible_numbers_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=f"optimizer.{next(iter(bad))}"):
        LARS([nn.Parameter(torch.ones(1))], **{"lr": 0.1, **bad})
