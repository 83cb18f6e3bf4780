"""The guard against catastrophic overfitting: a made-up collapse, healthy networks, two ranks."""

import math
from dataclasses import replace

import pytest
import torch
from toy_methods import Classifier

from trainables.attacks.balls import L2Ball, LinfBall
from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.collapse import CollapseGuard
from trainables.trainer import TrainingCollapsedError

EPSILON = 0.2
GUARD = CollapseGuard(ball=LinfBall(epsilon=EPSILON), max_images=20)


def splits():
    pixels = torch.full((30, 1, 4, 4), 128, dtype=torch.uint8)
    train = ImageSet(pixels, torch.zeros(30, dtype=torch.int64))
    nothing = train.rows(slice(0))  # a search's guard looks at training images alone
    return Splits(train, nothing, nothing, ("right", "wrong"))


def wave(images, ball=GUARD.ball):
    """Right at the image and a whole radius away along every pixel, wrong between them."""
    reach = images[0].numel() ** (0.5 if isinstance(ball, L2Ball) else 0.0)
    away = (images - 128 / 255).mean(dim=(1, 2, 3)) * reach / EPSILON
    margin = torch.cos(2 * math.pi * away + 0.3)
    return torch.stack([margin, -margin], dim=1)


@pytest.mark.parametrize("ball", [LinfBall(epsilon=EPSILON), L2Ball(epsilon=EPSILON)])
def test_high_fgsm_accuracy_over_no_pgd_accuracy_is_a_collapse(ball):
    guard, network = replace(GUARD, ball=ball), Classifier(lambda images: wave(images, ball))
    told = "of 20 training images 100% are right under one step of the attack, 0% under 10"
    with pytest.raises(TrainingCollapsedError, match=told):
        guard(network, splits())


def test_a_network_that_resists_neither_attack_has_not_collapsed():
    def steep(images):
        away = (images - 128 / 255).mean(dim=(1, 2, 3)) + EPSILON / 3
        return torch.stack([away, -away], dim=1)

    assert GUARD(Classifier(steep), splits()) == {
        "train/fgsm_accuracy": 0.0,
        "train/pgd_accuracy": 0.0,
    }


def test_a_network_that_resists_both_is_measured():
    def flat(images):
        away = (images - 128 / 255).mean(dim=(1, 2, 3)) + 2 * EPSILON
        return torch.stack([away, -away], dim=1)

    assert GUARD(Classifier(flat), splits()) == {
        "train/fgsm_accuracy": 1.0,
        "train/pgd_accuracy": 1.0,
    }


def test_a_training_set_sorted_by_class_is_looked_at_in_every_class():
    labels = torch.arange(30) // 15
    ordered = ImageSet(splits().train.images, labels)
    nothing = ordered.rows(slice(0))

    def the_first(images):
        level = images.mean(dim=(1, 2, 3))
        return torch.stack([level + 1, level], dim=1)

    measured = GUARD(Classifier(the_first), Splits(ordered, nothing, nothing, ("right", "wrong")))
    assert measured["train/fgsm_accuracy"] == 0.5


def test_with_low_fgsm_accuracy_nothing_is_said():
    guard = replace(GUARD, high=1.1)
    assert guard(Classifier(wave), splits())["train/pgd_accuracy"] == 0.0


def ending():
    """Return what the guard says on this rank."""
    try:
        GUARD(Classifier(wave), splits())
    except TrainingCollapsedError as error:
        return str(error)
    return ""


def test_every_rank_ends_with_the_same_words(run_ranks):
    alone = ending()
    assert alone
    assert run_ranks(ending) == [alone, alone]
