"""ACL against its code's loss and attack, written independently, and who sees which images."""

import copy

import pytest
import torch
import torch.nn.functional as F
from toy_methods import Normed, grey

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits
from trainables.attacks.balls import LinfBall
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Pipeline
from trainables.batch import Batch
from trainables.methods.acl import ACL
from trainables.networks.split_batch_norm import use_branch
from trainables.progress import Progress

START = Progress(step=0, epoch=0, max_epochs=2, fraction=0.0)
EPSILON, STEP, STEPS, TEMPERATURE = 0.05, 0.02, 4, 0.5


class Shift:
    """Views that differ: each call is darker than the one before."""

    def __init__(self):
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        return images * (1 - 0.2 * self.calls) if self.calls % 2 == 0 else images.flip(-1)


def method(*, branch="normal", augment=None, epsilon=EPSILON):
    torch.manual_seed(0)
    attack = PGD(ball=LinfBall(epsilon=epsilon), step_size=STEP, steps=STEPS, start="zero")
    return ACL(
        encoder=Normed(),
        projector_widths=[8],
        embedding_width=4,
        augment=augment or Shift(),
        attack=attack,
        temperature=TEMPERATURE,
        branch=branch,
    ).double()


def batch():
    return Batch(grey(7, size=5), torch.empty(0, dtype=torch.int64), torch.arange(7))


def contrast(embeddings):
    """NT-Xent as a classification of 2N embeddings by their partners."""
    z = F.normalize(embeddings, dim=1)
    logits = (z @ z.T / TEMPERATURE).fill_diagonal_(-torch.inf)
    half = len(z) // 2
    partner = torch.arange(2 * half).roll(half)
    return F.cross_entropy(logits, partner)


def by_the_book(network, images):
    """The loop of ACL's code on both views at once, in eval mode on the attacked branch."""
    network.eval()
    x = images.clone()
    with use_branch(network, "pgd"):
        for _ in range(STEPS):
            x = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(contrast(network(x)), x)
            x = (x.detach() + STEP * slope.sign()).clamp(images - EPSILON, images + EPSILON)
            x = x.clamp(0, 1)
    network.train()
    return x.detach()


def statistics(network, branch):
    """Return what the batch norms of a branch remember."""
    buffers = network.named_buffers()
    return {name: value.clone() for name, value in buffers if f".{branch}." in name}


def test_the_loss_is_the_mean_of_a_stream_of_clean_and_one_of_attacked_views():
    network, example = method(), batch()
    views = Shift()
    images = torch.cat([views(example.images), views(example.images)])
    twin = copy.deepcopy(network)
    adversarial = by_the_book(twin, images)
    assert ((adversarial - images).abs().amax(dim=(1, 2, 3)) > EPSILON / 2).all()
    with use_branch(twin, "normal"):
        clean = contrast(twin(images))
    with use_branch(twin, "pgd"):
        attacked = contrast(twin(adversarial))
    ((clean + attacked) / 2).backward()
    scalars = network.training_step(example, START)
    scalars["loss"].backward()
    torch.testing.assert_close(scalars["clean_loss"], clean, rtol=0, atol=1e-12)
    torch.testing.assert_close(scalars["adversarial_loss"], attacked, rtol=0, atol=1e-12)
    for (name, ours), theirs in zip(network.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(
            ours.grad, theirs.grad, rtol=0, atol=1e-12, msg=lambda text, name=name: name + text
        )
    # Each branch's statistics are those of its own images and no others.
    for branch in ("normal", "pgd"):
        torch.testing.assert_close(
            statistics(network, branch), statistics(twin, branch), rtol=0, atol=1e-14
        )


def test_the_clean_branch_never_sees_an_adversarial_image():
    example, remembered = batch(), []
    for epsilon in (0.0, 0.3):  # whatever the attack does
        network = method(epsilon=epsilon)
        network.training_step(example, START)
        remembered.append((statistics(network, "normal"), statistics(network, "pgd")))
    (calm, calm_attacked), (wild, wild_attacked) = remembered
    assert all(torch.equal(calm[name], wild[name]) for name in calm)
    assert not all(torch.equal(calm_attacked[name], wild_attacked[name]) for name in calm_attacked)
    assert all(value == 1 for name, value in {**wild, **wild_attacked}.items() if "tracked" in name)


@pytest.mark.parametrize("branch", ["normal", "pgd"])
def test_the_encoder_is_judged_by_the_branch_asked_for(branch):
    network, example = method(branch=branch), batch()
    network.training_step(example, START)
    network.eval()
    with use_branch(network, branch):
        expected = network.encoder(example.images)
    assert torch.equal(network.encoder(example.images), expected)
    with use_branch(network, "pgd" if branch == "normal" else "normal"):
        assert not torch.equal(network.encoder(example.images), expected)


def test_the_branch_it_is_judged_by_does_not_change_training():
    runs = []
    for branch in ("normal", "pgd"):
        small = ["device=cpu", "max_epochs=1", "attack.steps=1", "encoder.widths=[8,16]"]
        settings = compose.load("acl", [*small, f"method.branch={branch}"])
        trainer = build_trainer(settings, load_splits(settings))
        runs.append([result.metrics["train/loss"] for result in trainer.epochs()])
    assert runs[0] == runs[1]


def test_views_are_embedded_once_a_step_and_twice_for_the_loss():
    network, rows = method(augment=Pipeline()), []
    network.projector.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    network.training_step(batch(), START)
    assert rows == [14] * (STEPS + 2)


def test_an_unknown_branch_is_refused():
    with pytest.raises(ValueError, match=r"method.branch must be normal or pgd, got 'clean'"):
        method(branch="clean")
