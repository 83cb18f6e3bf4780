"""PGD on logits: exact worst cases, what restarts and steps may do, the same as torchattacks."""

from itertools import pairwise

import pytest
import torch
import torchattacks
from torch import nn
from toy_classifiers import accuracy, convolutional, trained

from trainables.attacks.balls import L1Ball, L2Ball, LinfBall
from trainables.attacks.objectives import DLR, CrossEntropy, Jitter, Margin
from trainables.attacks.white_box import WhiteBoxPGD

EIGHT = 8 / 255
BALLS = {"linf": LinfBall(epsilon=0.06), "l2": L2Ball(epsilon=0.6), "l1": L1Ball(epsilon=3.0)}
every_ball = pytest.mark.parametrize("ball", BALLS.values(), ids=BALLS)
DUAL = {LinfBall: 1, L2Ball: 2, L1Ball: torch.inf}


@pytest.fixture(name="learnt", scope="module")
def make_learnt():
    return trained()


def linear(classes, seed=0):
    """A linear classifier of grey images, of which it gets nine tenths right."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(27, classes)).double()
    with torch.no_grad():
        model[1].bias.copy_(-0.5 * model[1].weight.sum(dim=1))  # grey is on every boundary
    images = 0.5 + 0.02 * torch.randn(60, 3, 3, 3, dtype=torch.float64)
    labels = model(images).argmax(dim=1)
    labels[::10] = (labels[::10] + 1) % classes
    return model, images, labels


def exact_accuracy(model, images, labels, ball):
    """Of a linear classifier, where pixels are far from the ends of their range."""
    weights, logits = model[1].weight.detach(), model(images).detach()
    holds = torch.ones(len(images), dtype=torch.bool)
    for wrong in range(len(weights)):
        apart = weights[wrong] - weights[labels]
        reach = ball.epsilon * torch.linalg.vector_norm(apart, ord=DUAL[type(ball)], dim=1)
        lead = logits[:, wrong] - logits.gather(1, labels[:, None]).squeeze(1)
        holds &= (labels == wrong) | (lead + reach < 0)
    return holds.double().mean().item()


@pytest.mark.parametrize(
    "ball", [LinfBall(epsilon=0.003), L2Ball(epsilon=0.012), L1Ball(epsilon=0.036)]
)
@pytest.mark.parametrize("objective", [CrossEntropy(), Margin(), DLR()])
def test_leaves_a_linear_classifier_of_two_classes_its_exact_accuracy(ball, objective):
    problem = linear(classes=2)
    attack = WhiteBoxPGD(ball=ball, relative_step=0.25, steps=8, start="zero", objective=objective)
    left = accuracy(problem[0], attack(*problem), problem[2])
    assert left == exact_accuracy(*problem, ball)
    assert 0 < left < 0.9


@pytest.mark.parametrize(
    "ball", [LinfBall(epsilon=0.002), L2Ball(epsilon=0.008), L1Ball(epsilon=0.024)]
)
def test_restarts_leave_a_linear_classifier_of_five_classes_its_exact_accuracy(ball):
    problem = linear(classes=5)
    attack = WhiteBoxPGD(
        ball=ball, relative_step=0.1, steps=40, objective=Margin(), restarts=5, start="sphere"
    )
    torch.manual_seed(0)
    left = accuracy(problem[0], attack(*problem), problem[2])
    assert left == exact_accuracy(*problem, ball)
    assert 0 < left < 0.9


@every_ball
def test_more_steps_never_help_the_classifier(ball, learnt):
    left = [
        accuracy(
            learnt[0],
            WhiteBoxPGD(ball=ball, relative_step=0.1, steps=steps, start="zero")(*learnt),
            learnt[2],
        )
        for steps in (0, 1, 2, 5, 10, 20)
    ]
    assert all(after <= before for before, after in pairwise(left))
    assert left[-1] < left[0]


@pytest.mark.parametrize("keep_best", [True, False])
def test_more_restarts_never_help_the_classifier(keep_best, learnt):
    left = []
    for restarts in (1, 2, 5):
        torch.manual_seed(0)
        attack = WhiteBoxPGD(
            ball=LinfBall(epsilon=0.09),
            relative_step=0.3,
            steps=3,
            restarts=restarts,
            keep_best=keep_best,
        )
        left.append(accuracy(learnt[0], attack(*learnt), learnt[2]))
    assert left[0] >= left[1] >= left[2]
    assert left[0] > left[2]


def test_restarts_of_the_few_that_stand_share_a_batch_and_spare_the_others(learnt):
    model, images, labels = learnt
    labels = labels.clone()
    labels[:150] = (labels[:150] + 1) % 10  # wrong from the outset; 50 of 200 stand
    sizes = []

    def counted(x):
        sizes.append(len(x))
        return model(x)

    attack = WhiteBoxPGD(ball=LinfBall(epsilon=0.001), relative_step=0.5, steps=2, restarts=6)
    adversarial = attack(counted, images, labels)
    per_start = [50] * 4
    assert sizes == [200] + [200] * 3 + per_start + [100] * 3 + per_start[:2]
    assert torch.equal(adversarial[:150], images[:150])


def test_keeping_the_best_step_is_never_worse_than_the_last(learnt):
    def attack(keep_best):
        return WhiteBoxPGD(
            ball=LinfBall(epsilon=0.1),
            relative_step=1.5,
            steps=4,
            start="zero",
            keep_best=keep_best,
        )

    best, last = (accuracy(learnt[0], attack(k)(*learnt), learnt[2]) for k in (True, False))
    assert best <= last


@pytest.mark.parametrize("target", ["random", "least_likely"])
def test_a_targeted_attack_makes_its_target_likelier(target, learnt):
    model, images, labels = learnt
    attack = WhiteBoxPGD(
        ball=LinfBall(epsilon=0.3), relative_step=0.1, steps=30, target=target, keep_best=False
    )
    torch.manual_seed(0)
    if target == "random":
        aims = (labels + torch.randint(1, 10, (200,))) % 10
    else:
        aims = model(images).argmin(dim=1)
    torch.manual_seed(0)
    assert accuracy(model, attack(*learnt), aims) > 0.9
    assert not (aims == labels).any()


def test_an_empty_ball_leaves_the_images(learnt):
    attack = WhiteBoxPGD(ball=LinfBall(epsilon=0.0), relative_step=0.1, steps=3, restarts=2)
    assert torch.equal(attack(*learnt), learnt[1])


def theirs(kind, problem, target=None, **settings):
    model, images, labels = problem
    peer = kind(model, **settings)
    if target == "least_likely":
        peer.set_mode_targeted_least_likely()
    torch.manual_seed(1)
    return peer(images, labels)


def ours(problem, ball=None, **settings):
    torch.manual_seed(1)
    ball = ball or LinfBall(epsilon=EIGHT)
    return WhiteBoxPGD(ball=ball, keep_best=False, **settings)(*problem)


LEAST = {"target": "least_likely"}


@pytest.mark.parametrize("target", [{}, LEAST], ids=["untargeted", "least_likely"])
@pytest.mark.parametrize(
    ("kind", "their_settings", "settings", "tolerance"),
    [
        (torchattacks.PGD, {"steps": 20}, {"steps": 20, "relative_step": 0.25}, 1e-12),
        (
            torchattacks.FGSM,
            {},
            {"steps": 1, "relative_step": 1.0, "start": "zero"},
            1e-12,
        ),
        (  # BIM multiplies by masks it casts to float32
            torchattacks.BIM,
            {"steps": 10},
            {"steps": 10, "relative_step": 0.25, "start": "zero"},
            1e-8,
        ),
        (
            torchattacks.Jitter,
            {"steps": 10},
            {"steps": 10, "relative_step": 0.25, "objective": Jitter()},
            1e-12,
        ),
    ],
    ids=["PGD", "FGSM", "BIM", "Jitter"],
)
def test_finds_what_torchattacks_finds(target, kind, their_settings, settings, tolerance):
    problem = convolutional()
    alpha = {} if kind is torchattacks.FGSM else {"alpha": 2 / 255}
    expected = theirs(kind, problem, **target, eps=EIGHT, **alpha, **their_settings)
    actual = ours(problem, **target, **settings)
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)
    assert (actual - problem[1]).abs().amax() > 0.5 / 255


def test_finds_what_torchattacks_finds_in_l2():
    problem = convolutional()
    expected = theirs(torchattacks.PGDL2, problem, eps=0.5, alpha=0.1, steps=10)
    actual = ours(problem, L2Ball(epsilon=0.5), steps=10, relative_step=0.2, start="radius_uniform")
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0)  # theirs adds 1e-10 to norms


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"relative_step": 0.0}, "relative_step must be a number above 0, got 0.0"),
        ({"steps": -1}, "steps must be a whole number of at least 0, got -1"),
        ({"restarts": 0}, "restarts must be a whole number of at least 1, got 0"),
        ({"restarts": 2, "start": "zero"}, "restarts need a random start, got 2 restarts"),
        ({"target": "likely"}, "target must be one of none, .* got likely"),
    ],
)
def test_bad_values_are_refused_at_construction(wrong, sentence):
    good = {"ball": LinfBall(epsilon=EIGHT), "relative_step": 0.1, "steps": 1}
    with pytest.raises(ValueError, match=sentence):
        WhiteBoxPGD(**good | wrong)
