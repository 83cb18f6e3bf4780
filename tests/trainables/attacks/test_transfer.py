"""Transfer: whose images fool whom."""

import pytest
import torch
from toy_classifiers import accuracy, trained

from trainables.attacks.balls import LinfBall
from trainables.attacks.transfer import transfer
from trainables.attacks.white_box import WhiteBoxPGD

ATTACK = WhiteBoxPGD(
    ball=LinfBall(epsilon=0.1), relative_step=0.25, steps=5, start="zero", keep_best=False
)


@pytest.fixture(name="learnt", scope="module")
def make_learnt():
    return trained()


def left_half(x):
    """Of which class the left half is brighter than the right; the other half is not looked at."""
    half = x[..., : x.shape[-1] // 2].mean(dim=(1, 2, 3)) - 0.5
    return torch.stack([-half, half], dim=1)


def right_half(x):
    return left_half(x.flip(-1))


def test_the_diagonal_is_the_white_box_attack_and_twins_share_their_fate(learnt):
    model, images, labels = learnt

    def twin(x):
        return 2 * model(x) + 1

    robust_images = transfer(ATTACK, [model, twin], images, labels)
    expected = accuracy(model, ATTACK(*learnt), labels)
    assert robust_images.shape == (2, 2, 200)
    assert robust_images[0, 0].double().mean().item() == expected < 0.9
    assert torch.equal(robust_images[0, 0], robust_images[0, 1])


def test_an_attack_does_not_carry_over_to_a_model_that_looks_elsewhere():
    images = torch.full((6, 1, 4, 8), 0.55)
    labels = torch.ones(6, dtype=torch.int64)
    robust_images = transfer(ATTACK, [left_half, right_half], images, labels)
    assert robust_images.double().mean(dim=2).tolist() == [[0, 1], [1, 0]]


def test_images_the_source_gets_wrong_are_attacked_for_the_others_too():
    images = torch.full((6, 1, 4, 8), 0.55)
    labels = torch.ones(6, dtype=torch.int64)

    def always_wrong(x):
        return left_half(x) - torch.tensor([0.0, 9.0])

    robust_images = transfer(ATTACK, [always_wrong, left_half], images, labels)
    assert not robust_images[0].any()
