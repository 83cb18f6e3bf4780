"""Steps as multiples of epsilon."""

import pytest
import torch
from hydra.utils import instantiate

from raystudy.config import compose
from trainables.attacks.balls import L2Ball
from trainables.attacks.relative import relative_pgd


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("at_linf", 2 / 255),
        ("at_l2", 2.5 / 7),
        ("fast_l2", 1.5),
        ("fast_linf", 10 / 255),
        ("free_linf", 8 / 255),
        ("trades_linf", 0.007),
    ],
)
def test_the_published_step_comes_out(name, step):
    attack = instantiate(compose.load_shared([f"attack={name}"]).attack)
    assert attack.step_size == pytest.approx(step, rel=1e-12)


def test_the_step_follows_the_radius():
    attack = instantiate(compose.load_shared(["attack=fast_l2", "attack.ball.epsilon=0.25"]).attack)
    assert attack.step_size == 0.375


def test_in_a_ball_of_radius_zero_images_stay():
    attack = relative_pgd(ball=L2Ball(epsilon=0.0), relative_step=1.5, steps=2)
    images = torch.rand(3, 1, 2, 2)
    assert torch.equal(attack(lambda x: x.sum(dim=(1, 2, 3)), images), images)


def test_a_step_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"attack.relative_step must be above 0, got 0"):
        relative_pgd(ball=L2Ball(epsilon=1.0), relative_step=0, steps=1)
