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


class Windows:
    """Notes what is asked of a classifier of two images, and whose windows gain."""

    def __init__(self, gains):
        self.copies, self._gains = [], gains

    def __call__(self, x):
        self.copies.append(x.clone())
        done = sum(map(len, self.copies[:-1]))
        lead = torch.tensor([self._gains(done + row) for row in range(len(x))])
        return torch.stack([torch.full_like(lead, 99.0), lead], dim=1)


def searched(gains, queries):
    """Search for two images, and return what was asked at each call after the start."""
    torch.manual_seed(0)
    asked = Windows(gains)
    images = torch.full((2, 1, 8, 8), 0.5)
    attack = Square(ball=LINF, queries=queries, rescale=False)
    found = attack(asked, images, torch.zeros(2).long())
    return asked.copies[2:], found


def test_few_images_try_several_windows_at_once():
    asked, _ = searched(lambda _: 0.0, queries=300)
    tried = [len(copies) // 2 for copies in asked]
    assert sum(tried) == 299  # one query was the start
    assert max(tried) == 32
    ends = torch.tensor(tried).cumsum(dim=0).tolist()
    assert {11, 51, 201} <= set(ends)  # windows shrink after 10, 50 and 200: never within a call


def test_windows_after_the_first_that_gains_do_not_count():
    asked, found = searched(lambda row: row / 100, queries=40)  # every one gains
    assert len(asked) == 39
    for before, after in pairwise(asked):  # a query changes what the one before has kept
        changed = (after[:2] != before[:2]).flatten(1).sum(dim=1)
        assert (changed <= 52).all()  # 0.8 of the image at most
    assert torch.equal(found, asked[-1][:2])


def test_another_images_gain_ends_a_call_for_all():
    start = 4  # calls for two images each: the clean ones and the stripes
    asked, _ = searched(lambda row: 1.0 if row == start + 7 else 0.0, queries=30)
    # Row 7 is the second image's fourth window: after four queries both go on.
    assert [len(copies) // 2 for copies in asked][:2] == [11, 7]
    first, second = asked[0][7], asked[1].unflatten(0, (-1, 2))[:, 1]
    assert all((copy != first).sum() <= 52 for copy in second)
