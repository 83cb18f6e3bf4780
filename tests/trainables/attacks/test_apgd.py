"""APGD in three norms: exact worst cases, and the accuracy of its authors' code."""

import logging
from itertools import pairwise

import pytest
import torch
import torchattacks
from pyautoattack import autopgd_base
from toy_classifiers import accuracy, trained

from trainables.attacks.apgd import APGD
from trainables.attacks.apgd_l1 import APGDL1
from trainables.attacks.balls import L1Ball, L2Ball, LinfBall
from trainables.attacks.objectives import DLR, CrossEntropy, Margin

LINF, L2, L1 = LinfBall(epsilon=0.09), L2Ball(epsilon=0.8), L1Ball(epsilon=3.0)
every_ball = pytest.mark.parametrize("ball", [LINF, L2, L1], ids=["linf", "l2", "l1"])


@pytest.fixture(name="learnt", scope="module")
def make_learnt():
    return trained()


def apgd(ball, **settings):
    return (APGDL1 if isinstance(ball, L1Ball) else APGD)(ball=ball, **settings)


def seeded(attack, problem, seed=0, **arguments):
    torch.manual_seed(seed)
    return attack(*problem, **arguments)


@every_ball
@pytest.mark.parametrize("objective", [CrossEntropy(), Margin()])
def test_reaches_the_worst_case_of_a_linear_classifier(ball, objective):
    torch.manual_seed(0)
    weights = torch.randn(27, dtype=torch.float64)
    images = torch.full((5, 3, 3, 3), 0.5, dtype=torch.float64)
    ball = type(ball)(epsilon=0.1)

    def logits_of(x):
        lead = x.flatten(1) @ weights - 0.5 * weights.sum()
        return torch.stack([torch.full_like(lead, 9), lead], dim=1)  # never fooled

    found = seeded(
        apgd(ball, steps=300, objective=objective), (logits_of, images, torch.zeros(5).long())
    )
    dual = {LinfBall: 1, L2Ball: 2, L1Ball: torch.inf}[type(ball)]
    expected = torch.full((5,), 0.1 * torch.linalg.vector_norm(weights, ord=dual)).double()
    torch.testing.assert_close(logits_of(found)[:, 1], expected, rtol=1e-3, atol=0)


def their_start(ball, images, labels, model):
    """The perturbations torchattacks draws for the images classified right."""
    right = model(images).argmax(dim=1) == labels
    torch.manual_seed(0)
    if isinstance(ball, LinfBall):
        draw = 2 * torch.rand(images[right].shape) - 1
        draw = draw / draw.abs().amax(dim=(1, 2, 3), keepdim=True)
    else:
        draw = torch.randn(images[right].shape)
        draw = draw / draw.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
    delta0 = torch.zeros_like(images)
    delta0[right] = ball.epsilon * draw
    return delta0


@pytest.mark.parametrize("ball", [LINF, L2], ids=["linf", "l2"])
@pytest.mark.parametrize("steps", [10, 100])
@pytest.mark.parametrize(("loss", "objective"), [("ce", CrossEntropy()), ("dlr", DLR())])
def test_breaks_the_images_torchattacks_breaks_from_the_same_start(
    ball, steps, loss, objective, learnt
):
    model, images, labels = learnt
    norm = "Linf" if ball is LINF else "L2"
    peer = torchattacks.APGD(model, norm=norm, eps=ball.epsilon, steps=steps, loss=loss)
    theirs = model(peer(images, labels)).argmax(dim=1) != labels
    attack = APGD(ball=ball, steps=steps, objective=objective)
    start = their_start(ball, images, labels, model)
    ours = model(attack(*learnt, delta0=start)).argmax(dim=1) != labels
    assert (ours != theirs).sum() <= 1  # of 200: float32 rounds, and halved steps compound it
    assert 0.1 < theirs.float().mean() < 0.9


@pytest.mark.parametrize("ball", [LINF, L2], ids=["linf", "l2"])
def test_targets_leave_the_accuracy_torchattacks_leaves(ball, learnt):
    model, images, labels = learnt
    norm = "Linf" if ball is LINF else "L2"
    peer = torchattacks.APGDT(model, norm=norm, eps=ball.epsilon, steps=20)
    expected = accuracy(model, peer(images, labels), labels)
    attack = APGD(ball=ball, steps=20, objective=DLR(), targets=9)
    assert accuracy(model, seeded(attack, learnt), labels) == pytest.approx(expected, abs=0.01)


@every_ball
@pytest.mark.parametrize("targets", [0, 5])
def test_leaves_the_accuracy_its_authors_code_leaves(ball, targets, learnt):
    model, images, labels = learnt
    settings = {
        "n_iter": 30,
        "norm": {LinfBall: "Linf", L2Ball: "L2", L1Ball: "L1"}[type(ball)],
        "eps": ball.epsilon,
        "use_largereps": ball is L1,
        "seed": 0,
        "logger": logging.getLogger(),
    }
    if targets:
        peer = autopgd_base.APGDAttack_targeted(model, n_target_classes=targets, **settings)
    else:
        peer = autopgd_base.APGDAttack(model, **settings)
    expected = accuracy(model, peer.perturb(images, labels), labels)
    objective = DLR() if targets else CrossEntropy()
    attack = apgd(ball, steps=30, objective=objective, targets=targets)
    left = accuracy(model, seeded(attack, learnt), labels)
    assert left == pytest.approx(expected, abs=0.02)  # other starts
    assert 0.1 < expected < 0.9


@every_ball
def test_more_targets_and_restarts_never_help_the_classifier(ball, learnt):
    attacks = [{}, {"targets": 1}, {"targets": 3}, {"targets": 3, "restarts": 2}]
    left = [
        accuracy(
            learnt[0], seeded(apgd(ball, steps=10, objective=DLR(), **more), learnt), learnt[2]
        )
        for more in attacks
    ]
    assert left[1] >= left[2] >= left[3]
    assert left[1] > left[3]


@every_ball
def test_only_images_still_classified_right_are_attacked(ball, learnt):
    model, images, labels = learnt
    labels = labels.clone()
    labels[::2] = (labels[::2] + 1) % 10
    found = seeded(apgd(ball, steps=5), (model, images, labels))
    assert torch.equal(found[::2], images[::2])


def test_rows_that_are_broken_leave_at_the_next_review(learnt):
    model, images, labels = learnt
    sizes = []

    def counted(x):
        sizes.append(len(x))
        return model(x)

    seeded(APGD(ball=LinfBall(epsilon=0.12), steps=50), (counted, images, labels))
    reviews = [11, 21, 30, 38, 45]
    per_step = sizes[2:-1]  # besides the clean images, the start and what was found
    assert all(
        (after < before) <= (step in reviews)
        for step, (before, after) in enumerate(pairwise(per_step), 1)
    )
    assert per_step[-1] < 100


def test_the_wrong_norm_is_refused():
    with pytest.raises(ValueError, match="APGDL1 is for l1"):
        APGD(ball=L1)
    with pytest.raises(ValueError, match="APGDL1 needs an l1 ball"):
        APGDL1(ball=LINF)
