"""Free adversarial training against its algorithm, one loop, and its limits."""

import pytest
import torch
import torch.nn.functional as F
from toy_methods import Pixels, grey

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits
from trainables.attacks.balls import L2Ball, LinfBall
from trainables.attacks.relative import relative_pgd
from trainables.augment.pipeline import Pipeline
from trainables.batch import Batch
from trainables.methods.free_at import FreeAT
from trainables.progress import Progress

START = Progress(step=0, epoch=0, max_epochs=1, fraction=0.0)
RATE, CLASSES = 0.3, 3


def attack(ball, relative_step=0.4, steps=1):
    return relative_pgd(ball=ball, relative_step=relative_step, steps=steps, start="zero")


def method(ball):
    torch.manual_seed(0)
    return FreeAT(
        encoder=Pixels(9), num_classes=CLASSES, augment=Pipeline(), attack=attack(ball)
    ).double()


def batches(count=3, rows=5):
    return [
        Batch(
            grey(rows, low=0.0, high=1.0, seed=seed),
            torch.arange(rows) % CLASSES,
            torch.arange(rows),
        )
        for seed in range(count)
    ]


def train(network, given, replays):
    """Return the weights after all updates, the perturbation and the losses."""
    optimizer, losses = torch.optim.SGD(network.parameters(), lr=RATE), []
    for batch in given:
        for _ in range(replays):
            scalars = network.training_step(batch, START)
            optimizer.zero_grad()
            scalars["loss"].backward()
            optimizer.step()
            network.after_update(START)
            losses.append(scalars["loss"].item())
    return network.head.weight.detach(), network.get_extra_state()["delta"], losses


def step_in_linf(delta, slope, epsilon):
    return (delta + 0.4 * epsilon * slope.sign()).clamp(-epsilon, epsilon)


def step_in_l2(delta, slope, epsilon):
    rows = []
    for row, direction in zip(delta, slope, strict=True):
        moved = row + 0.4 * epsilon * direction / direction.norm()
        rows.append(moved * min(1.0, epsilon / moved.norm().item()))
    return torch.stack(rows)


def by_the_book(weight, bias, given, replays, step, epsilon):
    """Algorithm 1 on a linear classifier."""
    delta, losses = torch.zeros_like(given[0].images), []
    for batch in given:
        delta = (batch.images + delta).clamp(0, 1) - batch.images
        for _ in range(replays):
            w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
            d = delta.clone().requires_grad_()
            loss = F.cross_entropy((batch.images + d).flatten(1) @ w.T + b, batch.labels)
            loss.backward()
            delta = step(delta, d.grad, epsilon)
            delta = (batch.images + delta).clamp(0, 1) - batch.images
            weight, bias = weight - RATE * w.grad, bias - RATE * b.grad
            losses.append(loss.item())
    return weight, delta, losses


@pytest.mark.parametrize("replays", [1, 2, 4])
@pytest.mark.parametrize(
    ("ball", "step"), [(LinfBall(epsilon=0.1), step_in_linf), (L2Ball(epsilon=0.3), step_in_l2)]
)
def test_it_is_algorithm_1(ball, step, replays):
    network = method(ball)
    before = network.head.weight.detach().clone(), network.head.bias.detach().clone()
    expected = by_the_book(*before, batches(), replays, step, ball.epsilon)
    found = train(network, batches(), replays)
    for ours, theirs in zip(found[:2], expected[:2], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    assert found[2] == pytest.approx(expected[2], abs=1e-12)


def test_with_one_replay_a_batch_meets_the_perturbation_of_the_one_before():
    network, (first, second, _) = method(LinfBall(epsilon=0.1)), batches()
    clean = F.cross_entropy(network(first.images), first.labels)
    assert network.training_step(first, START)["loss"].item() == clean.item()
    _, delta, _ = train(network, [first], 1)
    met = (second.images + delta).clamp(0, 1)
    expected = F.cross_entropy(network(met), second.labels)
    assert network.training_step(second, START)["loss"].item() == pytest.approx(expected.item())


def losses(study, *overrides):
    settings = compose.load(
        study, ["device=cpu", "max_epochs=2", "encoder.widths=[8,16]", *overrides]
    )
    trainer = build_trainer(settings, load_splits(settings))
    told = [result.metrics for result in trainer.epochs()]
    return [m["train/loss"] for m in told], list(trainer.method.parameters()), told[-1]


def test_with_one_replay_in_a_ball_of_radius_zero_it_is_cross_entropy_bit_for_bit():
    common = ["lr_schedule=constant", "optimizer.lr=0.1", "batch_size=128"]
    expected, weights, _ = losses("cross_entropy", *common)
    found, own, _ = losses("free_at", *common, "batches.replays=1", "attack.ball.epsilon=0")
    assert found == expected
    assert all(torch.equal(a, b) for a, b in zip(own, weights, strict=True))


def test_every_replay_is_an_update_with_the_views_of_its_batch():
    settings = compose.load(
        "free_at", ["device=cpu", "max_epochs=1", "batches.replays=3", "encoder.widths=[8,16]"]
    )
    trainer = build_trainer(settings, load_splits(settings))
    views, seen, augment = [], [], trainer.method.augment

    def counted(images):
        views.append(augment(images))
        return views[-1]

    trainer.method.augment = counted
    trainer.method.encoder.register_forward_hook(lambda _, args, __: seen.append(args[0].detach()))
    (result,) = trainer.epochs()
    assert result.metrics["cost/updates"] == len(seen) == 3 * len(views)
    epsilon = settings.attack.ball.epsilon
    for index, images in enumerate(seen):
        away = images - views[index // 3]
        assert away.abs().max() <= epsilon + 1e-6
        assert images.min() >= 0
        assert images.max() <= 1


def test_more_than_a_step_a_replay_is_refused():
    with pytest.raises(ValueError, match=r"attack.steps=1, got 7"):
        FreeAT(
            encoder=Pixels(9),
            num_classes=CLASSES,
            augment=Pipeline(),
            attack=attack(LinfBall(epsilon=0.1), steps=7),
        )
