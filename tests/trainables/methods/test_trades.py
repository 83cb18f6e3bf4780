"""TRADES against torch's divergence and against the authors' loop, written independently."""

import copy

import pytest
import torch
import torch.nn.functional as F
from toy_methods import Normed, Pixels, grey

from trainables.attacks.balls import LinfBall
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Pipeline
from trainables.batch import Batch
from trainables.methods.trades import TRADES
from trainables.progress import Progress

START = Progress(step=0, epoch=0, max_epochs=2, fraction=0.0)
EPSILON, STEP, STEPS, NOISE = 0.05, 0.02, 6, 0.001


def method(encoder, *, weight=6.0, mode="eval", noise=NOISE):
    torch.manual_seed(0)
    attack = PGD(ball=LinfBall(epsilon=EPSILON), step_size=STEP, steps=STEPS, start="zero")
    return TRADES(
        encoder=encoder,
        num_classes=3,
        augment=Pipeline(),
        attack=attack,
        weight=weight,
        noise=noise,
        attack_mode=mode,
    ).double()


def batch(size=3):
    images = grey(8, low=0.0, high=1.0, size=size)
    return Batch(images, torch.arange(8) % 3, torch.arange(8))


def by_the_book(network, images, noise):
    """The loop of TRADES' code: KL to the clean image's classes, kept at every step."""
    network.eval()
    x = (images + noise).clamp(0, 1)
    for _ in range(STEPS):
        x = x.detach().requires_grad_()
        loss = F.kl_div(
            F.log_softmax(network(x), dim=1), F.softmax(network(images), dim=1), reduction="sum"
        )
        (slope,) = torch.autograd.grad(loss, x)
        x = x.detach() + STEP * slope.sign()
        x = torch.min(torch.max(x, images - EPSILON), images + EPSILON).clamp(0, 1)
    network.train()
    return x.detach()


def drawn(example):
    torch.manual_seed(5)
    return NOISE * torch.randn(example.images.shape, dtype=torch.float64)


@pytest.mark.parametrize("weight", [0.0, 1.0, 6.0])
def test_the_loss_is_cross_entropy_and_torchs_divergence_at_the_authors_images(weight):
    network, example = method(Normed(), weight=weight), batch(size=5)
    noise = drawn(example)
    twin = copy.deepcopy(network)  # whose statistics move
    adversarial = by_the_book(twin, example.images, noise)
    assert ((adversarial - example.images).abs().amax(dim=(1, 2, 3)) > EPSILON / 2).all()
    clean, attacked = twin(example.images), twin(adversarial)
    expected = F.cross_entropy(clean, example.labels) + weight * F.kl_div(
        F.log_softmax(attacked, dim=1), F.softmax(clean, dim=1), reduction="batchmean"
    )
    torch.manual_seed(5)
    loss = network.training_step(example, START)["loss"]
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)


def test_the_gradient_reaches_the_clean_images_in_both_terms():
    network, example = method(Pixels(9)), batch()
    adversarial = by_the_book(network, example.images, drawn(example))
    torch.manual_seed(5)
    network.training_step(example, START)["loss"].backward()
    found = network.head.weight.grad.clone()
    network.zero_grad()
    clean, attacked = network(example.images), network(adversarial)
    p, q = F.softmax(clean, dim=1), F.softmax(attacked, dim=1)
    loss = F.cross_entropy(clean, example.labels) + 6 * (p * (p / q).log()).sum(1).mean()
    loss.backward()
    torch.testing.assert_close(found, network.head.weight.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("mode", "forwards"), [("eval", 3), ("train", 4 + STEPS)])
def test_statistics_see_clean_attacked_and_clean_images_and_the_attack_only_in_train_mode(
    mode, forwards
):
    network, rows = method(Normed(), mode=mode), []
    network.encoder.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    network.training_step(batch(size=5), START)
    # The clean images' classes, the steps, then the three passes of the loss.
    assert rows == [8] * (1 + STEPS + 3)
    assert network.encoder.norm.num_batches_tracked == forwards


def sgd(network):
    return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4)


def authors_update(network, optimizer, example):
    """One update of the authors' loop: clean, attacked and clean images in train mode."""
    adversarial = by_the_book(network, example.images, drawn(example))
    optimizer.zero_grad()
    logits = network(example.images)
    loss_natural = F.cross_entropy(logits, example.labels)
    loss_robust = F.kl_div(
        F.log_softmax(network(adversarial), dim=1),
        F.softmax(network(example.images), dim=1),
        reduction="sum",
    )
    (loss_natural + 6.0 * loss_robust / len(example.labels)).backward()
    optimizer.step()


def test_weights_and_statistics_equal_the_authors_loop_update_by_update():
    ours, example = method(Normed()), batch(size=5)
    theirs = copy.deepcopy(ours)
    optimizer, official = sgd(ours), sgd(theirs)
    for _ in range(4):
        authors_update(theirs, official, example)
        torch.manual_seed(5)
        optimizer.zero_grad()
        ours.training_step(example, START)["loss"].backward()
        optimizer.step()
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-12)
    assert ours.encoder.norm.num_batches_tracked == 12


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"method.weight must be at least 0, got -1"):
        method(Pixels(9), weight=-1)
    with pytest.raises(ValueError, match=r"method.noise must be above 0, got 0"):
        method(Pixels(9), noise=0)
