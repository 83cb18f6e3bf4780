"""Adversarial training against closed forms, cross-entropy and batch norm's statistics."""

import copy

import pytest
import torch
import torch.nn.functional as F
from toy_methods import Normed, Pixels, grey

from raystudy.config import compose
from raystudy.trial.build import build_evaluators, build_trainer, load_splits
from trainables.attacks.balls import L2Ball, LinfBall
from trainables.attacks.relative import relative_pgd
from trainables.augment.pipeline import Pipeline
from trainables.batch import Batch
from trainables.methods.adversarial_training import AdversarialTraining
from trainables.progress import Progress

START = Progress(step=0, epoch=0, max_epochs=2, fraction=0.0)


def method(encoder, attack, *, num_classes=3, mode="eval"):
    torch.manual_seed(0)
    return AdversarialTraining(
        encoder=encoder,
        num_classes=num_classes,
        augment=Pipeline(),
        attack=attack,
        attack_mode=mode,
    ).double()


def batch(images, num_classes=3):
    labels = torch.arange(len(images)) % num_classes
    return Batch(images, labels, torch.arange(len(images)))


def trained(study, *overrides):
    settings = compose.load(study, ["device=cpu", *overrides])
    splits = load_splits(settings)
    trainer = build_trainer(settings, splits)
    losses = [result.metrics["train/loss"] for result in trainer.epochs()]
    measured = {}
    for evaluate in build_evaluators(settings).values():
        measured |= evaluate(trainer.method, splits)
    return losses, trainer.method, measured


@pytest.mark.parametrize("start", ["zero", "ball"])
@pytest.mark.parametrize("ball", ["Linf", "L2"])
def test_in_a_ball_of_radius_zero_it_is_cross_entropy_bit_for_bit(ball, start):
    common = ["max_epochs=2", "batch_size=128", "lr_schedule=constant", "optimizer.lr=0.1"]
    common += ["encoder.widths=[8,16]"]
    views = [] if start == "zero" else ["augment=none"]  # a random start draws between views
    attack = [
        "attack.ball.epsilon=0",
        f"attack.ball._target_=trainables.attacks.balls.{ball}Ball",
        f"attack.start={start}",
    ]
    losses, clean, _ = trained("cross_entropy", *common, *views)
    same_losses, same, _ = trained("fast_at", *common, *views, *attack)
    assert same_losses == losses
    for ours, theirs in zip(same.parameters(), clean.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("ball", "dual"), [(LinfBall, 1), (L2Ball, 2)])
def test_a_linear_classifiers_loss_is_its_worst_case_in_closed_form(ball, dual):
    epsilon, images = 0.1, grey(12)
    attack = relative_pgd(ball=ball(epsilon=epsilon), relative_step=1.0, steps=1, start="zero")
    linear = method(Pixels(9), attack, num_classes=2)
    example = batch(images, num_classes=2)
    weight, bias = linear.head.weight, linear.head.bias
    normal = weight[example.labels] - weight[1 - example.labels]
    offset = bias[example.labels] - bias[1 - example.labels]
    margin = (normal * images.flatten(1)).sum(1) + offset
    worst = F.softplus(epsilon * normal.norm(p=dual, dim=1) - margin)
    loss = linear.training_step(example, START)["loss"]
    torch.testing.assert_close(loss, worst.mean(), rtol=0, atol=1e-12)


def test_the_gradient_is_that_of_the_attacked_images_held_fixed():
    attack = relative_pgd(ball=LinfBall(epsilon=0.1), relative_step=1.0, steps=1, start="zero")
    linear, example = method(Pixels(9), attack), batch(grey(6))
    linear.training_step(example, START)["loss"].backward()
    found = linear.head.weight.grad.clone()
    x = example.images.clone().requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(linear(x), example.labels), x)
    linear.zero_grad()
    F.cross_entropy(linear(example.images + 0.1 * slope.sign()), example.labels).backward()
    torch.testing.assert_close(found, linear.head.weight.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("mode", "forwards"), [("eval", 1), ("train", 4)])
def test_attacking_in_eval_mode_leaves_statistics_alone_and_in_train_mode_moves_them(
    mode, forwards
):
    attack = relative_pgd(ball=LinfBall(epsilon=0.1), relative_step=0.5, steps=3, start="zero")
    network, example = method(Normed(), attack, mode=mode), batch(grey(6, size=5))
    seen = copy.deepcopy(network)
    images = []
    network.encoder.register_forward_pre_hook(lambda _, args: images.append(args[0].detach()))
    network.training_step(example, START)
    assert network.training
    assert network.encoder.norm.num_batches_tracked == forwards
    for x in images[-forwards:]:
        seen(x)
    torch.testing.assert_close(
        network.encoder.norm.running_mean, seen.encoder.norm.running_mean, rtol=0, atol=1e-14
    )


def test_without_an_attack_each_image_is_seen_once():
    network, rows = method(Normed(), None), []
    network.encoder.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    scalars = network.training_step(batch(grey(6, size=5)), START)
    assert rows == [6]
    assert set(scalars) == {"loss", "accuracy"}


def test_fast_adversarial_training_is_more_robust_than_cross_entropy_and_not_called_collapsed():
    _, _, clean = trained("cross_entropy", "max_epochs=8")
    _, _, robust = trained("fast_at_linf", "max_epochs=8")  # whose evaluators refuse a collapse
    assert robust["val/accuracy"] > 0.9
    assert robust["val/robust_accuracy"] > clean["val/robust_accuracy"] + 0.2
    assert robust["train/pgd_accuracy"] > 0.8 * robust["train/fgsm_accuracy"]
