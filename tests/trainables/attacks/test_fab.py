"""FAB and its projections: shortest by brute force, and the accuracy of its authors' code."""

import pytest
import torch
import torchattacks
from pyautoattack.fab_pt import FABAttack_PT
from torch import nn
from toy_classifiers import accuracy, trained

from trainables.attacks import adversary
from trainables.attacks.balls import L1Ball, L2Ball, LinfBall
from trainables.attacks.fab import FAB
from trainables.attacks.hyperplanes import reach

LINF, L2, L1 = LinfBall(epsilon=0.09), L2Ball(epsilon=0.8), L1Ball(epsilon=3.0)
BALLS = [LINF, L2, L1]
every_ball = pytest.mark.parametrize("ball", BALLS, ids=["linf", "l2", "l1"])


@pytest.fixture(name="learnt", scope="module")
def make_learnt():
    return trained()


def problems(count=40):
    """Points, normals and gaps that can be closed, of 12 pixels."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    x, normals = draw(count, 3, 2, 2), 2 * draw(count, 3, 2, 2) - 1
    x[: count // 2] = x[: count // 2].round(decimals=0)
    normals[:, 0, 0, 0] = 0
    elsewhere = draw(count, 3, 2, 2)
    return x, normals, (normals * (elsewhere - x)).flatten(1).sum(dim=1)


@every_ball
def test_the_way_to_a_hyperplane_ends_on_it_and_in_range(ball):
    x, normals, gaps = problems()
    delta = reach(x, normals, gaps, ball)
    torch.testing.assert_close((normals * delta).flatten(1).sum(dim=1), gaps, atol=1e-12, rtol=0)
    assert (x + delta).min() >= -1e-12
    assert (x + delta).max() <= 1 + 1e-12


@every_ball
def test_no_way_to_a_hyperplane_is_shorter(ball):
    x, normals, gaps = problems()
    shortest = ball.length(reach(x, normals, gaps, ball))
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):  # any point of the box, moved along the normal until it is on the plane
        delta = torch.rand(x.shape, generator=generator, dtype=torch.float64) - x
        delta = delta * torch.rand(len(x), 1, 1, 1, generator=generator, dtype=torch.float64)
        missing = gaps - (normals * delta).flatten(1).sum(dim=1)
        delta = delta + reach(x + delta, normals, missing, L2)
        assert (ball.length(delta) >= shortest - 1e-12).all()


@every_ball
def test_what_cannot_be_reached_is_neared_as_far_as_the_range_allows(ball):
    x = torch.tensor([0.2, 0.7]).view(1, 1, 1, 2)
    normals = torch.tensor([1.0, -2.0]).view(1, 1, 1, 2)
    delta = reach(x, normals, torch.tensor([100.0]), ball)
    assert delta.flatten().tolist() == pytest.approx([0.8, -0.7])


@every_ball
def test_no_gap_needs_no_way(ball):
    x, normals, gaps = problems()
    assert not reach(x, normals, 0 * gaps, ball).any()
    assert not reach(x, 0 * normals, 0 * gaps, ball).any()


@every_ball
def test_breaks_of_a_linear_classifier_exactly_what_the_ball_can_break(ball):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).double()
    images = torch.rand(200, 3, 2, 2, dtype=torch.float64)
    labels = model(images).argmax(dim=1)
    weights = model[1].weight.detach()
    normals = (weights[1 - labels] - weights[labels]).view_as(images)
    logits = model(images).detach()
    gaps = logits.gather(1, labels[:, None]) - logits.gather(1, 1 - labels[:, None])
    shortest = ball.length(reach(images, normals, gaps.squeeze(1), ball))
    ball = type(ball)(epsilon=shortest.median().item() * 1.001)
    found = FAB(ball=ball, steps=20)(model, images, labels)
    broken = model(found).argmax(dim=1) != labels
    clearly = (shortest - ball.epsilon).abs() > 0.06 * ball.epsilon  # it oversteps by a twentieth
    assert torch.equal(broken[clearly], (shortest <= ball.epsilon)[clearly])
    assert clearly.sum() > 150


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_leaves_the_accuracy_torchattacks_leaves(norm, learnt):
    model, images, labels = learnt
    ball = LINF if norm == "Linf" else L2
    peer = torchattacks.FAB(model, norm=norm, eps=ball.epsilon, steps=10, multi_targeted=True)
    expected = accuracy(model, peer(images, labels), labels)
    left = accuracy(model, FAB(ball=ball, steps=10)(*learnt), labels)
    assert left == pytest.approx(expected, abs=0.015)  # three images of 200: rounding
    assert 0.1 < expected < 0.9


@every_ball
def test_leaves_the_accuracy_its_authors_code_leaves(ball, learnt):
    model, images, labels = learnt
    norm = {LinfBall: "Linf", L2Ball: "L2", L1Ball: "L1"}[type(ball)]
    peer = FABAttack_PT(model, norm=norm, n_iter=10, n_restarts=1, eps=ball.epsilon, targeted=True)
    expected = accuracy(model, peer.perturb(images, labels), labels)
    left = accuracy(model, FAB(ball=ball, steps=10)(*learnt), labels)
    assert left == pytest.approx(expected, abs=0.015)
    assert 0.1 < expected < 0.9


@every_ball
def test_leaves_unbroken_images_as_they_are(ball, learnt):
    model, images, labels = learnt
    found = FAB(ball=ball, steps=5)(*learnt)
    standing = model(found).argmax(dim=1) == labels
    assert torch.equal(found[standing], images[standing])


@every_ball
def test_few_images_step_towards_several_classes_at_once(ball, learnt, monkeypatch):
    model, images, labels = learnt
    right = (model(images).argmax(dim=1) == labels).nonzero().squeeze(1)[:20]
    sizes = []

    def logits_of(x):
        sizes.append(len(x))
        return model(x)

    def attacked(pixels):
        monkeypatch.setattr(adversary, "SMALL_ON_CPU", pixels)
        sizes.clear()
        return FAB(ball=ball, steps=10, targets=3)(logits_of, images[right], labels[right])

    together, largest = attacked(64 * images[0, 0].numel()), max(sizes)
    in_turn = attacked(1)
    assert largest == 60
    assert max(sizes) == 20
    held = model(in_turn).argmax(dim=1) == labels[right]
    assert 0 < held.sum() < len(right)
    assert torch.equal(held, model(together).argmax(dim=1) == labels[right])
    torch.testing.assert_close(together[held], in_turn[held], rtol=0, atol=1e-5)
