"""Square: what it asks, what it finds, and the accuracy of its authors' code."""

from itertools import pairwise

import pytest
import torch
import torchattacks
from toy_classifiers import accuracy, trained

from trainables.attacks.balls import L1Ball, L2Ball, LinfBall
from trainables.attacks.square import Square

LINF, L2, L1 = LinfBall(epsilon=0.1), L2Ball(epsilon=1.2), L1Ball(epsilon=5.0)
every_ball = pytest.mark.parametrize("ball", [LINF, L2, L1], ids=["linf", "l2", "l1"])


@pytest.fixture(name="learnt", scope="module")
def make_learnt():
    return trained()


def seeded(attack, problem, seed=0):
    torch.manual_seed(seed)
    return attack(*problem)


@every_ball
def test_more_queries_never_help_the_classifier(ball, learnt):
    left = [
        accuracy(learnt[0], seeded(Square(ball=ball, queries=q, rescale=False), learnt), learnt[2])
        for q in (1, 30, 150)
    ]
    assert all(after <= before for before, after in pairwise(left))
    assert left[-1] < left[0]


@every_ball
def test_asks_for_logits_only(ball, learnt):
    model, images, labels = learnt

    def without_gradient(x):
        assert not x.requires_grad
        return model(x)

    seeded(Square(ball=ball, queries=5), (without_gradient, images, labels))


def test_of_a_linear_classifier_it_nears_the_worst_case():
    torch.manual_seed(0)
    weights = torch.randn(64)
    images = torch.full((4, 1, 8, 8), 0.5)

    def logits_of(x):
        lead = x.flatten(1) @ weights - 0.5 * weights.sum()
        return torch.stack([torch.full_like(lead, 99), lead], dim=1)  # never fooled

    problem = (logits_of, images, torch.zeros(4).long())
    found = seeded(Square(ball=LinfBall(epsilon=0.1), queries=1000), problem)
    assert (logits_of(found)[:, 1] >= 0.95 * 0.1 * weights.abs().sum()).all()


def test_leaves_the_accuracy_torchattacks_leaves(learnt):
    model, images, labels = learnt
    peer = torchattacks.Square(model, eps=LINF.epsilon, n_queries=300)
    expected = accuracy(model, peer(images, labels), labels)
    left = accuracy(model, seeded(Square(ball=LINF, queries=300), learnt), labels)
    # Theirs shares windows among the images: over eight seeds it varies by 0.04.
    assert left <= expected + 0.05
    assert 0.1 < left < 0.95


@pytest.mark.parametrize("size", [3, 5, 8, 12])
@every_ball
def test_any_size_of_image_will_do(ball, size):
    torch.manual_seed(0)
    images = torch.rand(3, 2, size, size + 1)

    def logits_of(x):
        return torch.stack([x.mean(dim=(1, 2, 3)) + 9, x[:, 0, 0, 0]], dim=1)

    found = Square(ball=ball, queries=60)(logits_of, images, torch.zeros(3).long())
    assert found.isfinite().all()
    assert (ball.length(found - images) <= ball.epsilon * (1 + 1e-5)).all()
    assert found.min() >= 0
    assert found.max() <= 1
