"""Projected gradient ascent: what it reaches and what it leaves alone."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.attacks.balls import STARTS, L1Ball, L2Ball, LinfBall
from trainables.attacks.pgd import PGD
from trainables.memory import is_channels_last

EIGHT = 8 / 255


def classifier():
    """A small network with batch norm, in eval mode, and a labelled batch in [0, 1]."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(128, 5),
    )
    images, labels = torch.rand(16, 3, 8, 8), torch.randint(0, 5, (16,))
    with torch.no_grad():
        model(images)  # fills the running statistics
    return model.eval(), images, labels


def cross_entropy(model, labels):
    return lambda x: F.cross_entropy(model(x), labels, reduction="none")


def linear(weights):
    return lambda x: (x * weights).flatten(1).sum(dim=1)


def random_weights():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(10, 3, 4, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("start", STARTS)
def test_reaches_the_worst_case_of_a_linear_loss_in_linf_and_pixel_range(start):
    weights = random_weights()
    images = torch.rand_like(weights)
    attack = PGD(ball=LinfBall(epsilon=0.3), step_size=0.1, steps=7, start=start)
    expected = (images + 0.3 * weights.sign()).clamp(0, 1)
    torch.testing.assert_close(attack(linear(weights), images), expected, atol=1e-12, rtol=0)


def test_reaches_the_worst_case_of_a_linear_loss_in_l2():
    weights = random_weights()
    images = torch.full_like(weights, 0.5)
    attack = PGD(ball=L2Ball(epsilon=0.4), step_size=0.1, steps=5, start="zero")
    unit = weights / weights.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(
        attack(linear(weights), images), images + 0.4 * unit, atol=1e-12, rtol=0
    )


def test_reaches_the_worst_case_of_a_linear_loss_in_l1():
    weights = random_weights()
    images = torch.full_like(weights, 0.5)
    attack = PGD(ball=L1Ball(epsilon=0.4, sparsity=0.99), step_size=0.1, steps=5, start="zero")
    gain = linear(weights)(attack(linear(weights), images) - images)
    torch.testing.assert_close(gain, 0.4 * weights.flatten(1).abs().amax(dim=1))


def worst_in_l1_and_pixel_range(weights, images, epsilon):
    """Pixel by pixel, the largest weight first, each as far as it can go."""
    room = torch.where(weights > 0, 1 - images, images)
    gains = []
    for row, limits in zip(weights.flatten(1).abs(), room.flatten(1), strict=True):
        left, gain = epsilon, 0.0
        for i in row.argsort(descending=True).tolist():
            spent = min(left, limits[i].item())
            left, gain = left - spent, gain + spent * row[i].item()
        gains.append(gain)
    return torch.tensor(gains, dtype=torch.float64)


def test_reaches_the_worst_case_of_a_linear_loss_in_l1_where_pixels_end():
    weights = random_weights()
    images = torch.rand_like(weights).round(decimals=1)
    attack = PGD(ball=L1Ball(epsilon=3.0), step_size=0.3, steps=60, start="zero")
    gain = linear(weights)(attack(linear(weights), images) - images)
    worst = worst_in_l1_and_pixel_range(weights, images, 3.0)
    torch.testing.assert_close(gain, worst, atol=1e-9, rtol=0)


@pytest.mark.parametrize("ball", [LinfBall(epsilon=0.2), L2Ball(epsilon=0.4), L1Ball(epsilon=0.4)])
def test_descends_where_sense_is_minus_one(ball):
    weights = random_weights()
    images = torch.full_like(weights, 0.5)
    sense = torch.tensor([1.0, -1.0]).repeat(5).double()
    attack = PGD(ball=ball, step_size=0.1, steps=5, start="zero")
    both = attack(linear(weights), images, sense=sense)
    up, down = attack(linear(weights), images), attack(linear(-weights), images)
    torch.testing.assert_close(both[::2], up[::2])
    torch.testing.assert_close(both[1::2], down[1::2])


@pytest.mark.parametrize(
    "ball", [LinfBall(epsilon=EIGHT), L2Ball(epsilon=0.5), L1Ball(epsilon=4.0, sparsity=0.9)]
)
def test_more_steps_do_not_lower_the_mean_loss(ball):
    model, images, labels = classifier()
    loss = cross_entropy(model, labels)
    means = [
        loss(
            PGD(ball=ball, step_size=ball.epsilon / 8, steps=steps, start="zero")(loss, images)
        ).mean()
        for steps in (0, 1, 2, 5, 10, 20, 50)
    ]
    assert all(after >= before - 1e-5 for before, after in pairwise(means))
    assert means[-1] > means[0] + 0.01


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", [LinfBall, L2Ball, L1Ball])
@pytest.mark.parametrize("step_size", [0.0, 0.1])
def test_an_empty_ball_leaves_the_images(kind, start, step_size):
    model, images, labels = classifier()
    attack = PGD(ball=kind(epsilon=0.0), step_size=step_size, steps=3, start=start)
    assert torch.equal(attack(cross_entropy(model, labels), images), images)


def test_no_steps_from_zero_leave_the_images():
    model, images, labels = classifier()
    attack = PGD(ball=LinfBall(epsilon=EIGHT), step_size=0.1, steps=0, start="zero")
    assert torch.equal(attack(cross_entropy(model, labels), images), images)


def test_an_explicit_start_is_used_kept_in_range_and_left_as_it_was():
    model, images, labels = classifier()
    attack = PGD(ball=LinfBall(epsilon=0.5), step_size=0.1, steps=0, start="ball")
    delta0 = torch.rand_like(images) - 0.5
    before, rng = delta0.clone(), torch.get_rng_state()
    started = attack(cross_entropy(model, labels), images, delta0=delta0)
    torch.testing.assert_close(started, (images + before).clamp(0, 1))
    assert torch.equal(delta0, before)
    assert torch.equal(torch.get_rng_state(), rng)


def everything(model):
    """State, gradients, modes and flags of a model."""
    return (
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        [module.training for module in model.modules()],
        [p.requires_grad for p in model.parameters()],
    )


@pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.no_grad])
def test_leaves_the_model_and_the_images_alone(grad_mode):
    model, images, labels = classifier()
    model[0].weight.requires_grad_(False)
    model[5].weight.grad = torch.ones_like(model[5].weight)
    images.requires_grad_()
    state, gradients, modes, flags = everything(model)
    attack = PGD(ball=LinfBall(epsilon=EIGHT), step_size=2 / 255, steps=3)
    with grad_mode():
        adversarial = attack(cross_entropy(model, labels), images)
        assert torch.is_grad_enabled() == (grad_mode is torch.enable_grad)
    later_state, later_gradients, later_modes, later_flags = everything(model)
    torch.testing.assert_close(later_state, state, atol=0, rtol=0)
    torch.testing.assert_close(later_gradients, gradients, atol=0, rtol=0)
    assert (later_modes, later_flags) == (modes, flags)
    assert images.grad is None
    assert images.requires_grad
    assert not adversarial.requires_grad


def test_finds_the_same_images_inside_no_grad():
    model, images, labels = classifier()
    attack = PGD(ball=L2Ball(epsilon=0.5), step_size=0.1, steps=3, start="zero")
    outside = attack(cross_entropy(model, labels), images)
    with torch.no_grad():
        inside = attack(cross_entropy(model, labels), images)
    assert torch.equal(inside, outside)


def test_computes_no_gradient_of_the_weights():
    model, images, labels = classifier()
    asked = []
    for parameter in model.parameters():
        parameter.register_hook(asked.append)
    PGD(ball=LinfBall(epsilon=EIGHT), step_size=0.01, steps=2)(cross_entropy(model, labels), images)
    assert not asked


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("ball", [LinfBall(epsilon=0.2), L2Ball(epsilon=0.4), L1Ball(epsilon=0.4)])
def test_the_network_sees_channels_last_and_the_caller_the_layout_it_gave(ball, layout):
    images, seen = torch.rand(4, 3, 16, 16).contiguous(memory_format=layout), []

    def loss(x):
        seen.append(is_channels_last(x))
        return x.square().flatten(1).sum(dim=1)

    adversarial = PGD(ball=ball, step_size=0.1, steps=3)(loss, images)
    assert seen == [True] * 3
    assert adversarial.is_contiguous(memory_format=layout)


def test_an_images_perturbation_does_not_depend_on_its_batch():
    model, images, labels = classifier()
    attack = PGD(ball=L2Ball(epsilon=0.5), step_size=0.1, steps=3, start="zero")
    together = attack(cross_entropy(model, labels), images)
    alone = [attack(cross_entropy(model, labels[i : i + 1]), images[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(torch.cat(alone), together[:4], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"steps": -1}, "attack.steps must be at least 0, got -1"),
        ({"step_size": 0.0}, "attack.step_size must be above 0, got 0.0"),
        ({"start": "corner"}, "attack.start must be one of ball, .* got corner"),
    ],
)
def test_bad_values_are_refused_at_construction(wrong, sentence):
    good = {"ball": LinfBall(epsilon=EIGHT), "step_size": 0.01, "steps": 1}
    with pytest.raises(ValueError, match=sentence):
        PGD(**good | wrong)


def test_its_repr_tells_the_whole_recipe():
    attack = PGD(ball=LinfBall(epsilon=0.1), step_size=0.02, steps=7)
    assert repr(attack) == (
        "PGD(ball=LinfBall(epsilon=0.1), step_size=0.02, steps=7, start='ball')"
    )
