"""The same images as torchattacks, from the same seed or the same start.

In double precision, where no rounding turns a gradient's sign.
"""

import pytest
import torch
import torch.nn.functional as F
import torchattacks
from torch import nn

from trainables.attacks.balls import L2Ball, LinfBall
from trainables.attacks.pgd import PGD

EIGHT = 8 / 255


@pytest.fixture(name="classifier")
def make_classifier():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(72, 5),
    )
    images, labels = torch.rand(12, 3, 8, 8, dtype=torch.float64), torch.randint(0, 5, (12,))
    return model.double().eval(), images, labels


def ours(attack, classifier, seed=1, **arguments):
    model, images, labels = classifier
    torch.manual_seed(seed)
    return attack(
        lambda x: F.cross_entropy(model(x), labels, reduction="none"), images, **arguments
    )


def theirs(kind, classifier, seed=1, **settings):
    model, images, labels = classifier
    torch.manual_seed(seed)
    return kind(model, **settings)(images, labels)


def assert_same_and_moved(actual, expected, images, tolerance=1e-12):
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)
    assert (actual - images).abs().amax() > 0.5 / 255


def test_pgd_from_the_same_seed(classifier):
    attack = PGD(ball=LinfBall(epsilon=EIGHT), step_size=2 / 255, steps=20)
    expected = theirs(torchattacks.PGD, classifier, eps=EIGHT, alpha=2 / 255, steps=20)
    assert_same_and_moved(ours(attack, classifier), expected, classifier[1])


def test_pgd_from_the_same_first_perturbation(classifier):
    attack = PGD(ball=LinfBall(epsilon=EIGHT), step_size=2 / 255, steps=20, start="zero")
    torch.manual_seed(1)
    delta0 = torch.empty_like(classifier[1]).uniform_(-EIGHT, EIGHT)
    expected = theirs(torchattacks.PGD, classifier, eps=EIGHT, alpha=2 / 255, steps=20)
    assert_same_and_moved(ours(attack, classifier, delta0=delta0), expected, classifier[1])


def test_one_step_from_zero_is_fgsm(classifier):
    attack = PGD(ball=LinfBall(epsilon=EIGHT), step_size=EIGHT, steps=1, start="zero")
    expected = theirs(torchattacks.FGSM, classifier, eps=EIGHT)
    assert_same_and_moved(ours(attack, classifier), expected, classifier[1])


def test_a_zero_start_is_bim(classifier):
    attack = PGD(ball=LinfBall(epsilon=EIGHT), step_size=2 / 255, steps=10, start="zero")
    # BIM multiplies by masks it casts to float32.
    expected = theirs(torchattacks.BIM, classifier, eps=EIGHT, alpha=2 / 255, steps=10)
    assert_same_and_moved(ours(attack, classifier), expected, classifier[1], 1e-8)


@pytest.mark.parametrize(("start", "random_start"), [("radius_uniform", True), ("zero", False)])
def test_pgd_l2_from_the_same_seed(classifier, start, random_start):
    # Theirs adds 1e-10 to the norm of a gradient that is about 1e-3 long.
    attack = PGD(ball=L2Ball(epsilon=0.5), step_size=0.1, steps=10, start=start)
    expected = theirs(
        torchattacks.PGDL2, classifier, eps=0.5, alpha=0.1, steps=10, random_start=random_start
    )
    assert_same_and_moved(ours(attack, classifier), expected, classifier[1], 1e-6)


def test_a_negated_loss_is_the_targeted_attack(classifier):
    model, images, labels = classifier
    targets = (labels + 1) % 5
    attack = PGD(ball=LinfBall(epsilon=EIGHT), step_size=2 / 255, steps=10, start="zero")
    actual = attack(lambda x: -F.cross_entropy(model(x), targets, reduction="none"), images)
    peer = torchattacks.PGD(model, eps=EIGHT, alpha=2 / 255, steps=10, random_start=False)
    peer.set_mode_targeted_by_function(lambda *_: targets)
    assert_same_and_moved(actual, peer(images, labels), images)
