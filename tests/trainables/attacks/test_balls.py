"""Threat models: projections, steps and draws."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables import distributed
from trainables.attacks.balls import STARTS, L1Ball, L2Ball, LinfBall

SHAPE = (3, 2, 2)  # C x H x W: 12 pixels
BALLS = {"linf": (LinfBall, torch.inf), "l2": (L2Ball, 2), "l1": (L1Ball, 1)}
every_ball = pytest.mark.parametrize(("kind", "order"), BALLS.values(), ids=BALLS)
every_kind = pytest.mark.parametrize("kind", [kind for kind, _ in BALLS.values()], ids=BALLS)


def length(rows, order):
    return torch.linalg.vector_norm(rows.flatten(1), ord=order, dim=1)


def random_rows(seed=0, rows=50, size=1.0):
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(rows, *SHAPE, generator=generator, dtype=torch.float64)


@every_ball
@pytest.mark.parametrize("epsilon", [0.0, 0.5, 3.0])
def test_projection_is_inside_and_leaves_what_is_inside(kind, order, epsilon):
    ball = kind(epsilon=epsilon)
    projected = ball.project(random_rows())
    assert (length(projected, order) <= epsilon * (1 + 1e-12)).all()
    torch.testing.assert_close(ball.project(projected), projected, atol=1e-12, rtol=0)
    within = 0.999 * projected
    torch.testing.assert_close(ball.project(within), within, atol=1e-12, rtol=0)


@every_kind
def test_no_point_of_the_ball_is_nearer_than_the_projection(kind):
    ball, outside = kind(epsilon=1.0), random_rows()
    distance = length(outside - ball.project(outside), 2)
    for start in STARTS:
        for _ in range(20):
            candidates = ball.project(ball.sample(outside, start) + 0.3 * ball.project(outside))
            assert (length(outside - candidates, 2) >= distance - 1e-12).all()


@given(st.integers(0, 999), st.floats(1e-3, 20.0))
def test_l1_projection_is_the_soft_threshold_that_leaves_epsilon(seed, epsilon):
    delta = random_rows(seed, rows=1)
    low, high = 0.0, delta.abs().max().item()
    for _ in range(100):  # bisection for the threshold
        middle = (low + high) / 2
        too_long = (delta.abs() - middle).clamp(min=0).sum() > epsilon
        low, high = (middle, high) if too_long else (low, middle)
    expected = delta.sign() * (delta.abs() - high).clamp(min=0)
    torch.testing.assert_close(L1Ball(epsilon=epsilon).project(delta), expected, atol=1e-9, rtol=0)


@given(st.integers(0, 999), st.floats(1e-3, 20.0))
def test_l1_confinement_is_the_threshold_that_leaves_epsilon_of_clipped_pixels(seed, epsilon):
    delta = random_rows(seed, rows=1)
    images = random_rows(seed + 1, rows=1).sigmoid().round(decimals=1)
    room = torch.where(delta > 0, 1 - images, images)

    def kept(threshold):
        return (delta.abs() - threshold).clamp(min=0).minimum(room)

    low, high = 0.0, delta.abs().max().item()
    for _ in range(100):  # bisection for the threshold
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle).sum() > epsilon else (low, middle)
    actual = L1Ball(epsilon=epsilon).confine(images, delta)
    torch.testing.assert_close(actual, delta.sign() * kept(high), atol=1e-9, rtol=0)


@every_kind
def test_confinement_is_inside_ball_and_pixel_range_and_leaves_what_is(kind):
    images = random_rows(1).sigmoid().round(decimals=1).float()
    ball = kind(epsilon=0.7)
    confined = ball.confine(images, random_rows().float())
    assert (ball.length(confined) <= 0.7 * (1 + 1e-6)).all()
    assert (images + confined).min() >= 0
    assert (images + confined).max() <= 1
    torch.testing.assert_close(ball.confine(images, confined), confined, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", [LinfBall, L1Ball])
def test_no_valid_point_of_the_ball_is_nearer_than_the_confined_one(kind):
    ball, outside = kind(epsilon=1.0), random_rows()
    images = random_rows(1).sigmoid().round(decimals=1)
    distance = length(outside - ball.confine(images, outside), 2)
    for start in STARTS:
        for _ in range(20):
            candidates = ball.sample(images, start) + ball.confine(images, outside)
            candidates = ball.confine(images, candidates)
            assert (length(outside - candidates, 2) >= distance - 1e-12).all()


def test_an_l1_move_wastes_nothing_on_pixels_at_the_end_of_their_range():
    images = torch.tensor([1.0, 0.0, 0.3, 0.5]).view(1, 1, 2, 2)
    gradient = torch.tensor([4.0, -3.0, 2.0, 1.0]).view(1, 1, 2, 2)
    ball, none = L1Ball(epsilon=1.0, sparsity=0.75), torch.zeros_like(images)
    up = ball.move(images, none, gradient, 0.5)
    assert up.flatten().tolist() == pytest.approx([0, 0, 0.5, 0])
    down = ball.move(images, none, gradient, -0.5)
    assert down.flatten().tolist() == pytest.approx([-0.5, 0, 0, 0])


def test_l2_projection_shortens_each_row_by_its_own_length():
    # Not over the batch: MadryLab/robustness, issue 32.
    delta = torch.zeros(3, *SHAPE)
    delta[0, 0, 0, 0], delta[1, 1, 1, 0], delta[2, 2, 0, 1] = 0.5, 2.0, 40.0
    projected = L2Ball(epsilon=1.0).project(delta)
    assert length(projected, 2).tolist() == [0.5, 1.0, 1.0]


@every_ball
def test_a_step_has_unit_length_in_the_balls_norm(kind, order):
    steps = kind(epsilon=0.3).steepest(random_rows())
    torch.testing.assert_close(length(steps, order), torch.ones(50, dtype=torch.float64))


@every_ball
def test_no_step_is_made_where_the_gradient_vanishes(kind, order):
    gradient = torch.randn(3, *SHAPE)
    gradient[1] = 0
    steps = kind(epsilon=0.3).steepest(gradient)
    assert steps.isfinite().all()
    assert length(steps, order).tolist() == pytest.approx([1, 0, 1], abs=1e-6)


@every_kind
@pytest.mark.parametrize("size", [1e-40, 1e-30, 1e-22, 1e-10, 1e10, 1e30])
def test_a_step_does_not_depend_on_the_gradients_size(kind, size):
    gradient = random_rows().float()
    ball = kind(epsilon=0.3)
    expected, actual = ball.steepest(gradient), ball.steepest(gradient * size)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)  # 1e-40 has few digits


@every_kind
def test_of_all_unit_steps_it_raises_a_linear_loss_most(kind):
    gradient = random_rows()
    ball = kind(epsilon=1.0)
    gain = (gradient * ball.steepest(gradient)).flatten(1).sum(dim=1)
    for _ in range(50):
        other = (gradient * ball.sample(gradient, "sphere")).flatten(1).sum(dim=1)
        assert (gain >= other - 1e-12).all()


@pytest.mark.parametrize(("sparsity", "moved"), [(0.0, 12), (0.5, 6), (0.75, 3), (0.99, 1)])
def test_an_l1_step_moves_the_share_with_the_largest_gradients_equally(sparsity, moved):
    gradient = random_rows()
    steps = L1Ball(epsilon=1.0, sparsity=sparsity).steepest(gradient).flatten(1)
    size = gradient.flatten(1).abs()
    kth = size.sort(dim=1, descending=True).values[:, moved - 1 : moved]
    expected = torch.where(size >= kth, gradient.flatten(1).sign() / moved, 0.0)
    torch.testing.assert_close(steps, expected)


def draw(kind, start, rows=20_000, epsilon=2.0):
    torch.manual_seed(0)
    images = torch.zeros(rows, *SHAPE, dtype=torch.float64)
    return kind(epsilon=epsilon).sample(images, start) / epsilon


@every_ball
def test_a_draw_from_the_ball_is_uniform_in_it(kind, order):
    # Its length to the power of the dimension is uniform in [0, 1].
    share = length(draw(kind, "ball"), order) ** 12
    assert length(draw(kind, "ball"), order).mean().item() == pytest.approx(12 / 13, abs=0.003)
    deciles = torch.quantile(share, torch.linspace(0.1, 0.9, 9, dtype=torch.float64))
    torch.testing.assert_close(
        deciles, torch.linspace(0.1, 0.9, 9, dtype=torch.float64), atol=0.015, rtol=0
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(LinfBall, 1 / 3), (L2Ball, 1 / 14), (L1Ball, 2 / (13 * 14))],
    ids=["linf", "l2", "l1"],
)
def test_every_pixel_of_a_draw_has_the_uniform_distributions_variance(kind, expected):
    # Of the cube, of the Euclidean ball 1/(d+2), of the l1 ball 2/((d+1)(d+2)).
    pixels = draw(kind, "ball").flatten(1)
    assert pixels.mean(dim=0).abs().max() < 4 * (expected / 20_000) ** 0.5
    torch.testing.assert_close(
        pixels.square().mean(dim=0), torch.full((12,), expected).double(), rtol=0.08, atol=0
    )


@every_ball
def test_a_draw_from_the_sphere_has_length_epsilon(kind, order):
    torch.testing.assert_close(
        length(draw(kind, "sphere"), order), torch.ones(20_000, dtype=torch.float64)
    )


@every_ball
def test_a_radius_uniform_draw_has_a_uniform_length(kind, order):
    lengths = length(draw(kind, "radius_uniform"), order)
    assert lengths.max() <= 1
    assert lengths.mean().item() == pytest.approx(0.5, abs=0.01)
    assert lengths.var().item() == pytest.approx(1 / 12, abs=0.003)


@every_ball
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("size", [0.3, -0.3, torch.linspace(-1, 1, 50).view(-1, 1, 1, 1)], ids=str)
def test_a_climb_moves_copies_as_the_ball_moves_perturbations(kind, order, start, size):
    ball, images = kind(epsilon=0.7), torch.rand(50, *SHAPE, dtype=torch.float64)
    delta = 1.5 * ball.sample(images, start)
    climb, delta = ball.climb(images), ball.confine(images, delta)
    x = climb.start(delta)
    torch.testing.assert_close(x, images + delta, rtol=0, atol=1e-12)
    for seed, scale in enumerate((1.0, 1e-200, 0.0)):
        gradient = random_rows(seed, size=scale)
        delta = ball.move(images, delta, gradient, size)
        x = climb.step(x, gradient, size)
        torch.testing.assert_close(x, images + delta, rtol=0, atol=1e-12)
        assert length(x - images, order).max() <= 0.7 + 1e-12


@every_kind
def test_a_climb_in_a_ball_of_radius_zero_stays(kind):
    images = torch.rand(4, *SHAPE)
    climb = kind(epsilon=0.0).climb(images)
    assert torch.equal(climb.start(torch.rand(4, *SHAPE)), images)
    assert torch.equal(climb.step(images, torch.rand(4, *SHAPE), 0.1), images)


@every_kind
def test_a_zero_start_is_zero_and_draws_nothing(kind):
    before = torch.get_rng_state()
    assert not kind(epsilon=1.0).sample(torch.zeros(4, *SHAPE), "zero").any()
    assert torch.equal(torch.get_rng_state(), before)


def rows_of_a_rank(name, start):
    kind, _ = BALLS[name]
    torch.manual_seed(5)
    return kind(epsilon=1.0).sample(torch.zeros(6 // distributed.world_size(), *SHAPE), start)


@pytest.mark.parametrize("name", BALLS)
@pytest.mark.parametrize("start", STARTS)
def test_two_ranks_draw_what_one_process_draws(run_ranks, name, start):
    torch.testing.assert_close(
        torch.cat(run_ranks(rows_of_a_rank, name, start)), rows_of_a_rank(name, start)
    )


@every_kind
def test_a_negative_radius_is_refused(kind):
    with pytest.raises(ValueError, match=r"epsilon >= 0, got epsilon=-0\.1"):
        kind(epsilon=-0.1)


def test_a_step_that_moves_no_pixel_is_refused():
    with pytest.raises(ValueError, match="sparsity < 1, got sparsity=1"):
        L1Ball(epsilon=1.0, sparsity=1.0)
