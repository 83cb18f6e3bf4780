"""Every file of search_spaces/attack keeps its promises: a new one is enrolled by existing."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from torch import nn

from raystudy.config import catalogue, compose
from trainables.attacks.balls import L1Ball, L2Ball, LinfBall

ORDERS = {LinfBall: torch.inf, L2Ball: 2, L1Ball: 1}


@pytest.fixture(name="attack", params=catalogue.options("attack"))
def make_attack(request):
    return instantiate(compose.load_shared([f"attack={request.param}"]).attack)


@pytest.fixture(name="problem")
def make_problem():
    """A per-example loss and images that touch both ends of the range."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.GELU(), nn.Flatten())
    model = nn.Sequential(model, nn.Linear(600, 4)).eval()
    images, labels = torch.rand(24, 3, 12, 12), torch.randint(0, 4, (24,))
    images[:8] = images[:8].round()
    return lambda x: F.cross_entropy(model(x), labels, reduction="none"), images


def test_stays_in_its_ball_and_in_pixel_range(attack, problem):
    loss, images = problem
    adversarial = attack(loss, images)
    lengths = torch.linalg.vector_norm(
        (adversarial - images).flatten(1), ord=ORDERS[type(attack.ball)], dim=1
    )
    # Adding to the image and taking it away again rounds by up to 3e-8 per pixel.
    assert (lengths <= attack.ball.epsilon * (1 + 1e-5)).all()
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert (lengths > 0).all()


def test_raises_the_loss_of_nearly_every_image_and_the_mean(attack, problem):
    loss, images = problem
    before, after = loss(images), loss(attack(loss, images))
    assert after.mean() > before.mean()
    assert (after > before).float().mean() >= 0.75


def test_the_same_seed_finds_the_same_images(attack, problem):
    found = []
    for _ in range(2):
        torch.manual_seed(1)
        found.append(attack(*problem))
    assert torch.equal(*found)


def test_sense_minus_one_lowers_the_loss(attack, problem):
    loss, images = problem
    down = attack(loss, images, sense=-torch.ones(len(images)))
    assert loss(down).mean() < loss(images).mean()


def test_every_file_begins_with_what_it_is_and_where_its_numbers_are_from():
    for path in Path(catalogue.find_yaml("attack/pgd_linf")).parent.glob("*.yaml"):
        first = path.read_text().splitlines()[0]
        assert first.startswith("# "), path.name
        assert "(" in first or "scaled" in first, path.name
