"""Adversarial examples of a linear classifier, whose worst case is known."""

import pytest
import torch
from picture_subjects import linear_subject

from trainables.attacks.balls import L2Ball, LinfBall
from trainables.attacks.pgd import PGD
from trainables.pictures.adversarial import (
    AdversarialExamples,
    amplification,
    described,
    levels,
)

PGD20 = PGD(ball=LinfBall(epsilon=0.1), step_size=0.01, steps=20, start="zero")


def test_rows_are_clean_images_worst_copies_and_the_amplified_difference():
    subject = linear_subject(attack=PGD20)
    grid = AdversarialExamples()(subject)
    clean, adversarial, difference = (torch.stack([t.image for t in row]) for row in grid.tiles)
    delta = adversarial - clean
    assert delta.abs().max() <= 0.1 + 1e-6
    torch.testing.assert_close(difference, (0.5 + 5 * delta).clamp(0, 1))
    assert grid.rows[2] == "perturbation\n× 5"


def test_captions_are_the_predicted_classes_and_wrong_ones_stand_out():
    subject = linear_subject(attack=PGD(ball=LinfBall(epsilon=0.9), step_size=0.1, steps=20))
    grid = AdversarialExamples()(subject)
    for tiles, expected in zip(grid.tiles[:2], ("right", "wrong"), strict=True):
        with torch.no_grad():
            said = subject.logits_of(torch.stack([t.image for t in tiles])).argmax(dim=1)
        assert [t.caption for t in tiles] == [subject.splits.classes[int(c)] for c in said]
        assert {t.tone for t in tiles} == {expected}
    assert list(grid.columns) == ["left", "middle", "right"]


def test_another_radius_keeps_the_steps_share_of_it():
    attack = AdversarialExamples(epsilon=0.3, steps=7).of(PGD20)
    assert (attack.ball.epsilon, attack.steps) == (0.3, 7)
    assert attack.step_size == pytest.approx(0.03)
    assert AdversarialExamples().of(PGD20) is PGD20


def test_the_largest_change_becomes_half_the_range():
    assert amplification(torch.tensor([0.1, -0.05])) == 5
    assert amplification(torch.tensor([-8 / 255])) == 16
    assert amplification(torch.zeros(3)) == 1


def test_lengths_are_told_in_levels_where_they_are_round():
    assert [levels(x) for x in (8 / 255, 0.8 / 255, 0.1, 0.5)] == ["8/255", "0.8/255", "0.1", "0.5"]
    attack = PGD(ball=L2Ball(epsilon=0.5), step_size=0.0625, steps=1)
    assert described(attack) == "PGD in l2: ε = 0.5, 1 step of 0.0625"
