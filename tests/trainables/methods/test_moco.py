"""MoCo's queue, copy and ranks."""

import pytest
import torch
import torch.nn.functional as F

from trainables import distributed
from trainables.batch import Batch
from trainables.methods.moco import MoCo
from trainables.networks.small_conv import SmallConv
from trainables.progress import Progress
from trainables.random_state import seed_everything

NOW = Progress(step=0, epoch=0, max_epochs=1, fraction=0.0)


def identity(images):
    return images


def make(queue_length=12):
    seed_everything(0)
    return MoCo(
        encoder=SmallConv(channels=1, widths=[4, 8], mean=[0.5], std=[0.5]),
        projector_width=8,
        embedding_width=6,
        augment=identity,
        temperature=0.2,
        momentum=0.9,
        queue_length=queue_length,
    )


def batch(seed, n=4):
    images = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    return Batch(images, torch.empty(0, dtype=torch.int64), torch.arange(n))


def step(method, a_batch):
    loss = method.training_step(a_batch, NOW)["loss"]
    loss.backward()
    method.after_update(NOW)
    return loss


def test_the_queue_takes_the_newest_keys_first_and_forgets_the_oldest():
    method = make()
    began = method.queue.clone()
    step(method, batch(1))
    assert torch.equal(method.queue[8:], began[:4])
    newest = method.queue[:8].clone()
    step(method, batch(2))
    assert torch.equal(method.queue[8:], newest[:4])
    torch.testing.assert_close(method.queue.norm(dim=1), torch.ones(12))


def test_a_steps_own_keys_are_no_negatives():
    method = make()
    loss = method.training_step(batch(1), NOW)["loss"]
    twin = make()
    images = batch(1).images
    q = F.normalize(twin.projector(twin.encoder(images)), dim=1)
    k = F.normalize(twin.target(images), dim=1)
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ twin.queue.T], dim=1) / 0.2
    expected = 2 * F.cross_entropy(logits, torch.zeros(4, dtype=torch.int64))  # both directions
    torch.testing.assert_close(loss, expected)


def test_the_copy_follows_with_constant_momentum():
    method = make()
    before = [p.clone() for p in method.target.parameters()]
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter += 1
    step(method, batch(1))
    moved = list(method.target.copy[0].parameters())
    for mine, old in zip(moved, before[: len(moved)], strict=True):
        torch.testing.assert_close(mine, old + 0.1, rtol=1e-4, atol=1e-6)
        assert mine.grad is None


def queue_of_a_rank():
    method = make()
    everyone = batch(1, n=8)
    first = 4 * distributed.rank()
    mine = Batch(everyone.images[first : first + 4], everyone.labels, torch.arange(4))
    method.eval()  # batch statistics of one rank alone would differ; the trainer synchronises them
    step(method, mine)
    return method.queue


def test_the_queue_is_the_same_on_all_ranks_and_has_all_their_keys(run_ranks):
    first, second = run_ranks(queue_of_a_rank)
    assert torch.equal(first, second)
    alone = make()
    alone.eval()
    step(alone, batch(1, n=8))
    torch.testing.assert_close(first, alone.queue, rtol=1e-4, atol=1e-6)


def test_a_queue_of_nothing_is_refused():
    with pytest.raises(ValueError, match="queue_length"):
        make(queue_length=0)
