"""Climbs in pixel space against encoders and classifiers whose answers are known."""

import math

import pytest
import torch
from picture_subjects import Mixer, Rectified, linear_subject
from torch import nn
from toy_methods import Pixels, grey

from trainables.pictures.ascent import IMAGENET, Ascent
from trainables.pictures.interpolation import Interpolation, interpolate
from trainables.pictures.large import LargePerturbations, push
from trainables.pictures.straight_through import last_relu_open
from trainables.pictures.visualisation import FeatureVisualisation, maximise

FREE = Ascent(epsilon=2, step_size=0.01, steps=200)


def brightness(x, _):
    return x.sum(dim=(1, 2, 3))


def lengths(images):
    return images.flatten(1).norm(dim=1)


def test_a_climb_is_as_long_per_pixel_at_every_size():
    for size in (3, 6):
        images = grey(2, low=0.5, high=0.5, size=size)
        climbed = Ascent(epsilon=0.05, step_size=0.02, steps=20)(brightness, images)
        torch.testing.assert_close(climbed - images, torch.full_like(images, 0.05))


def test_a_climb_of_a_few_images_at_once_is_that_of_all():
    images = grey(5)
    aims = grey(5, seed=1)

    def nearness(x, rows):
        return -(x - aims[rows]).square().sum(dim=(1, 2, 3))

    whole = Ascent(epsilon=1, step_size=0.01, steps=30)
    parts = Ascent(epsilon=1, step_size=0.01, steps=30, pixels_at_once=2 * 9)
    torch.testing.assert_close(parts(nearness, images), whole(nearness, images))


def test_settling_reaches_an_optimum_that_single_steps_circle():
    images, aims = grey(4), grey(4, seed=1)

    def nearness(x, rows):
        return -(x - aims[rows]).square().sum(dim=(1, 2, 3))

    climb = Ascent(epsilon=1, step_size=0.02, steps=400)
    settled = climb.settling(nearness, images)
    assert lengths(settled - aims).max() < 0.02 / 4**3 * math.sqrt(9) * 1.01
    assert lengths(climb(nearness, images) - aims).min() > lengths(settled - aims).max()


def test_settling_keeps_to_the_ball_around_the_images():
    images = grey(4, low=0.5, high=0.5)
    climb = Ascent(epsilon=0.1, step_size=0.05, steps=40)
    found = climb.settling(brightness, images)
    torch.testing.assert_close(lengths(found - images), torch.full((4,), 0.3, dtype=torch.float64))


def test_features_that_are_pixels_turn_white_one_by_one():
    images = grey(2)
    raised = maximise(Pixels(9), images, torch.tensor([4, 7]), FREE)
    assert raised.shape == (2, 2, 1, 3, 3)
    for column, feature in enumerate([4, 7]):
        expected = images.flatten(1).clone()
        expected[:, feature] = 1
        torch.testing.assert_close(raised[:, column].flatten(1), expected)


def test_every_feature_rises_within_the_ball_and_the_range_of_pixels():
    images, encoder = grey(3), Mixer()
    features = torch.arange(4)
    climb = Ascent(epsilon=0.1, step_size=0.02, steps=20)
    raised = maximise(encoder, images, features, climb)
    with torch.no_grad():
        before = encoder(images)
        after = torch.stack([encoder(raised[:, f])[:, f] for f in features], dim=1)
    assert (after > before).all()
    assert (raised - images[:, None]).flatten(2).norm(dim=2).max() <= 0.1 * 3 + 1e-9
    assert raised.min() >= 0
    assert raised.max() <= 1


def test_a_feature_that_is_zero_rises_too():
    encoder, images = Rectified(), grey(1, low=0.4, high=0.4)
    with torch.no_grad():
        assert encoder(images).item() == 0
    raised = maximise(encoder, images, torch.tensor([0]), FREE)
    with torch.no_grad():
        assert encoder(raised[:, 0]).item() == pytest.approx(1.0)


@pytest.mark.parametrize("inplace", [False, True])
def test_only_the_last_call_of_a_relu_is_opened_and_values_stay(inplace):
    relu = nn.ReLU(inplace=inplace)
    network = nn.Sequential(nn.Identity(), relu, nn.Linear(2, 2), relu).double()
    with torch.no_grad():
        network[2].weight.copy_(-torch.eye(2))
        network[2].bias.zero_()
    x = torch.tensor([[3.0, -3.0]], dtype=torch.float64, requires_grad=True)
    plain = network(x + 0)
    with last_relu_open(network, x.detach() + 0):
        for _ in range(2):  # every forward pass anew
            opened = network(x + 0)
            (gradient,) = torch.autograd.grad(opened.sum(), x)
            assert torch.equal(opened, plain)
            assert gradient.tolist() == [[-1.0, 0.0]]
    (closed,) = torch.autograd.grad(network(x + 0).sum(), x)
    assert closed.tolist() == [[0.0, 0.0]]


def test_interpolation_ends_reproduce_the_features_of_both_images():
    encoder, first, second = Mixer(), grey(3), grey(3, seed=1)
    climb = Ascent(epsilon=2, step_size=0.02, steps=2000)
    between, misses = interpolate(encoder, first, second, torch.tensor([1.0, 0.5, 0.0]), climb)
    assert between.shape == (3, 3, 1, 3, 3)
    torch.testing.assert_close(between[:, 0], first)
    with torch.no_grad():
        away = (encoder(between[:, 2]) - encoder(second)).norm(dim=1)
    last_step = 0.02 / 4**3 * math.sqrt(9)
    assert away.max() < last_step * torch.linalg.matrix_norm(encoder.weight, ord=2)
    torch.testing.assert_close(misses[:, 2], away / encoder(second).norm(dim=1))
    assert misses[:, 0].max() == 0


def test_interpolation_of_pixels_is_the_mean_of_the_pixels():
    first, second = grey(2), grey(2, seed=1)
    climb = Ascent(epsilon=2, step_size=0.02, steps=2000)
    between, _ = interpolate(Pixels(9), first, second, torch.tensor([0.25]), climb)
    torch.testing.assert_close(
        between[:, 0], 0.25 * first + 0.75 * second, atol=0.02 / 4**3, rtol=0
    )


def test_a_large_perturbation_reaches_every_target_in_the_ball_and_the_range_of_pixels():
    subject = linear_subject()
    images = subject.images.pixels(slice(0, 6))
    climb = Ascent(epsilon=0.8, step_size=0.02, steps=100)
    pushed = push(subject.logits_of, images, torch.tensor([0, 1, 2]), climb)
    assert pushed.shape == (6, 3, 1, 3, 3)
    for target in range(3):
        with torch.no_grad():
            assert (subject.logits_of(pushed[:, target]).argmax(dim=1) == target).all()
    assert (pushed - images[:, None]).flatten(2).norm(dim=2).max() <= 0.8 * 3 + 1e-6
    assert pushed.min() >= 0
    assert pushed.max() <= 1


def test_a_small_ball_holds_a_large_perturbation():
    subject = linear_subject()
    images = subject.images.pixels(slice(0, 6))
    pushed = push(
        subject.logits_of, images, torch.tensor([2]), Ascent(epsilon=0.01, step_size=0.01, steps=9)
    )
    assert (pushed[:, 0] - images).flatten(1).norm(dim=1).max() <= 0.01 * 3 + 1e-6


def test_the_papers_settings_at_their_own_size_are_their_numbers():
    large, direct = LargePerturbations(), FeatureVisualisation()
    assert large.epsilon * IMAGENET == pytest.approx(500)
    assert large.steps == 1000
    assert direct.epsilon * IMAGENET == pytest.approx(1000)
    assert direct.step_size * IMAGENET == pytest.approx(1)
    assert direct.steps == 200


@pytest.mark.parametrize(
    ("picture", "rows", "columns"),
    [
        (FeatureVisualisation(images=2, features=3, steps=4), 4, 4),
        (Interpolation(pairs=1, images=5, steps=4), 2, 7),
        (LargePerturbations(steps=4), 3, 4),
        (LargePerturbations(classes=2, steps=4), 2, 3),
    ],
)
def test_grids_have_a_place_for_everything(picture, rows, columns):
    grid = picture(linear_subject())
    assert (len(grid.tiles), len(grid.columns), len(grid.rows)) == (rows, columns, rows)
    assert {len(row) for row in grid.tiles} == {columns}


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"epsilon": -1.0}, {"classes": 0}, {"relative_step": 0.0}]
)
def test_settings_that_are_not_above_0_are_refused(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"LargePerturbations needs {name} > 0"):
        LargePerturbations(**settings)
