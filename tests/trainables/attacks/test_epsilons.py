"""Attacks in growing balls: accuracy falls with epsilon, whatever the attack."""

from itertools import pairwise

import pytest
import torch
from toy_classifiers import accuracy, trained

from trainables.attacks.adversary import with_epsilon
from trainables.attacks.balls import L1Ball, L2Ball, LinfBall
from trainables.attacks.epsilons import in_growing_balls
from trainables.attacks.fab import FAB
from trainables.attacks.square import Square
from trainables.attacks.white_box import WhiteBoxPGD

GRID = [0.0, 0.03, 0.08, 0.1, 0.12, 0.5, 1.0]


@pytest.fixture(name="learnt", scope="module")
def make_learnt():
    return trained()


@pytest.mark.parametrize(
    "attack",
    [
        WhiteBoxPGD(ball=LinfBall(epsilon=1), relative_step=0.3, steps=4),
        Square(ball=LinfBall(epsilon=1), queries=10),
        FAB(ball=LinfBall(epsilon=1), steps=3, targets=2),
    ],
    ids=["pgd", "square", "fab"],
)
def test_accuracy_never_rises_with_epsilon(attack, learnt):
    model, images, labels = learnt
    torch.manual_seed(0)
    copies = list(in_growing_balls(attack, GRID, *learnt))
    left = [accuracy(model, copy, labels) for copy in copies]
    assert left[0] == accuracy(model, images, labels)
    assert all(after <= before for before, after in pairwise(left))
    for epsilon, copy in zip(GRID, copies, strict=True):
        assert (copy - images).abs().max() <= epsilon * (1 + 1e-6) + 1e-7


def wrong_in_a_ring(x):
    """Right near grey 0.5 and far from it, wrong between 0.05 and 0.15 away from it."""
    lead = 0.05 - ((x.mean(dim=(1, 2, 3)) - 0.5).abs() - 0.1).abs()
    return torch.stack([torch.zeros_like(lead), lead], dim=1)


def test_accuracy_that_would_rise_with_epsilon_does_not_in_growing_balls():
    problem = (wrong_in_a_ring, torch.full((3, 1, 2, 2), 0.51), torch.zeros(3).long())
    attack = WhiteBoxPGD(
        ball=LinfBall(epsilon=1), relative_step=1.0, steps=1, start="zero", keep_best=False
    )
    alone = [
        accuracy(problem[0], with_epsilon(attack, e)(*problem), problem[2]) for e in (0.1, 0.3)
    ]
    assert alone == [0, 1]
    together = in_growing_balls(attack, [0.1, 0.3], *problem)
    assert [accuracy(problem[0], copies, problem[2]) for copies in together] == [0, 0]


def test_larger_balls_start_from_where_the_smaller_left_the_image(learnt):
    starts = []

    class Watched(WhiteBoxPGD):
        def __call__(self, logits_of, images, labels, *, delta0=None):
            starts.append((self.ball.epsilon, delta0))
            return super().__call__(logits_of, images, labels, delta0=delta0)

    attack = Watched(ball=LinfBall(epsilon=1), relative_step=0.1, steps=3, start="zero")
    list(in_growing_balls(attack, [0.01, 0.02], *learnt))
    (first, none), (second, given), (third, own) = starts
    assert (first, second, third) == (0.01, 0.02, 0.02)
    assert none is None
    assert own is None
    assert given.abs().amax() <= 0.01 + 1e-7
    assert given.abs().amax() > 0


@pytest.mark.parametrize("kind", [LinfBall, L2Ball, L1Ball])
def test_an_attack_keeps_its_settings_in_another_ball(kind):
    attack = WhiteBoxPGD(ball=kind(epsilon=0.5), relative_step=0.1, steps=3, restarts=2)
    other = with_epsilon(attack, 2.0)
    assert other.ball == kind(epsilon=2.0)
    assert (other.relative_step, other.steps, other.restarts) == (0.1, 3, 2)


def test_a_grid_that_falls_is_refused(learnt):
    attack = Square(ball=LinfBall(epsilon=1), queries=1)
    with pytest.raises(ValueError, match=r"ascending, got \[0.2, 0.1\]"):
        next(in_growing_balls(attack, [0.2, 0.1], *learnt))
