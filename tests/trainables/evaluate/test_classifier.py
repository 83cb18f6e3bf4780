"""A classifier's accuracies against arithmetic, on one rank and on two."""

import pytest
import torch
from toy_methods import Classifier, grey

from trainables.attacks.balls import L2Ball, LinfBall
from trainables.attacks.relative import relative_pgd
from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.accuracy import accuracy
from trainables.evaluate.classifier import ClassifierAccuracy

PIXELS = 9


def by_the_mean(images):
    """Class 1 where the mean is above a half, with a margin in units of the mean."""
    excess = images.mean(dim=(1, 2, 3)) - 0.5
    return torch.stack([-excess, excess], dim=1)


def splits(rows=101):
    pixels = (grey(rows, low=0.2, high=0.8) * 255).round().to(torch.uint8)
    pixels = (pixels.float() * torch.linspace(0.6, 1.4, rows).view(-1, 1, 1, 1)).to(torch.uint8)
    excess = pixels.double().mean(dim=(1, 2, 3)) / 255 - 0.5
    labels = (excess > 0).long()
    labels[::10] = 1 - labels[::10]
    some = ImageSet(pixels, labels)
    return Splits(some, some, some, ("dark", "bright")), excess


def evaluator(ball, **settings):
    return ClassifierAccuracy(
        attack=relative_pgd(ball=ball, relative_step=0.5, steps=4), **settings
    )


@pytest.mark.parametrize("batch_size", [7, 512])
@pytest.mark.parametrize(
    ("ball", "reach"), [(LinfBall(epsilon=0.05), 0.05), (L2Ball(epsilon=0.15), 0.15 / PIXELS**0.5)]
)
def test_what_is_right_and_further_from_the_border_than_the_attack_reaches_stays_right(
    ball, reach, batch_size
):
    data, excess = splits()
    found = evaluator(ball, batch_size=batch_size)(Classifier(by_the_mean), data)
    right = torch.ones(len(excess), dtype=torch.bool)
    right[::10] = False
    assert found["val/accuracy"] == pytest.approx(right.double().mean().item())
    robust = (right & (excess.abs() > reach)).double().mean().item()
    assert 0.2 < robust < found["val/accuracy"] - 0.1
    assert found["val/robust_accuracy"] == pytest.approx(robust)


def test_only_the_first_images_are_attacked():
    data, excess = splits()
    found = evaluator(LinfBall(epsilon=0.05), max_images=40)(Classifier(by_the_mean), data)
    right = torch.arange(40) % 10 != 0
    robust = right & (excess[:40].abs() > 0.05)
    assert found["val/robust_accuracy"] == pytest.approx(robust.double().mean().item())


def test_a_method_that_returns_embeddings_is_refused():
    data, _ = splits()
    with pytest.raises(ValueError, match="2 logits, got 9 values of Classifier"):
        evaluator(LinfBall(epsilon=0.1))(Classifier(lambda x: x.flatten(1)), data)


def halves_right_in_a_large_ball(rows, batch_size):
    """Return accuracies that a random start decides."""
    torch.manual_seed(0)
    pixels = (grey(rows) * 255).to(torch.uint8)
    start_only = relative_pgd(ball=LinfBall(epsilon=0.3), relative_step=1.0, steps=0)
    some = ImageSet(pixels, (pixels.double().mean(dim=(1, 2, 3)) > 127).long())
    return accuracy(by_the_mean, some, attack=start_only, batch_size=batch_size)


def test_two_ranks_attack_as_one_does_and_count_every_image_once(run_ranks):
    alone = halves_right_in_a_large_ball(44, 20)
    assert 0.3 < alone < 0.9
    assert run_ranks(halves_right_in_a_large_ball, 44, 20) == [alone, alone]
    assert run_ranks(halves_right_in_a_large_ball, 45, 45)[0] == pytest.approx(
        halves_right_in_a_large_ball(45, 45), abs=2 / 45
    )
