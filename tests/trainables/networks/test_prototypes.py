"""Prototypes and their queue: first in first out, alike on all ranks, frozen for good."""

import pytest
import torch
import torch.nn.functional as F

from trainables import distributed
from trainables.networks.prototypes import Prototypes
from trainables.progress import Progress

WIDTH, LENGTH, ROWS = 6, 5, 2


def at(epoch, share=0.0):
    return Progress(step=0, epoch=epoch, max_epochs=10, fraction=(epoch + share) / 10)


def prototypes(**settings):
    torch.manual_seed(0)
    module = Prototypes(width=WIDTH, count=4, **{"queue_length": LENGTH} | settings).double()
    with torch.no_grad():
        module.weight.copy_(F.normalize(module.weight, dim=1))  # drawn in float32
    return module


def embeddings(seed, rows=ROWS):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, rows, WIDTH, generator=generator, dtype=torch.float64)


def fed(a_module, seeds, epoch=0, rows=ROWS):
    """Show the module one batch per seed and return what each gave."""
    answers = []
    for seed in seeds:
        answers.append(a_module(embeddings(seed, rows), at(epoch)))
        a_module.after_update(at(epoch))
    return answers


def test_scores_are_cosines():
    z, module = embeddings(3), prototypes()
    scores, _ = module(z, at(0))
    for view in range(2):
        for row in range(ROWS):
            expected = F.cosine_similarity(z[view, row][None], module.weight)
            torch.testing.assert_close(scores[view, row], expected, rtol=0, atol=1e-12)


def test_the_newest_embeddings_come_first_and_the_oldest_leave():
    module = prototypes()
    fed(module, [1, 2, 3])
    directions = [F.normalize(embeddings(seed), dim=2) for seed in (3, 2, 1)]
    assert torch.equal(module.queue, torch.cat(directions, dim=1)[:, :LENGTH])


def test_a_batch_longer_than_the_queue_fills_it():
    module = prototypes()
    fed(module, [1], rows=LENGTH + 2)
    expected = F.normalize(embeddings(1, LENGTH + 2), dim=2)[:, :LENGTH]
    assert torch.equal(module.queue, expected)


def test_the_queue_is_used_once_it_is_full_and_takes_no_gradient():
    answers = fed(prototypes(), [1, 2, 3, 4])
    assert [queued is None for _, queued in answers] == [True, True, True, False]
    scores, queued = answers[-1]
    assert queued.shape == (2, LENGTH, 4)
    assert scores.requires_grad
    assert not queued.requires_grad


def test_queue_scores_are_those_of_the_embeddings_before_the_batch():
    module = prototypes(queue_length=2 * ROWS)
    fed(module, [1, 2])
    _, queued = module(embeddings(3), at(0))
    expected = [module(embeddings(seed), at(0))[0] for seed in (2, 1)]
    torch.testing.assert_close(queued, torch.cat(expected, dim=1).detach(), rtol=0, atol=1e-12)


def test_the_queue_begins_to_fill_at_its_epoch():
    module = prototypes(queue_start=2)
    fed(module, [1, 2, 3], epoch=1)
    assert module.queued == 0
    assert not module.queue.any()
    fed(module, [1], epoch=2)
    assert module.queued == ROWS


def test_without_a_queue_there_are_no_queue_scores():
    assert [queued for _, queued in fed(prototypes(queue_length=0), [1, 2])] == [None, None]


@pytest.mark.parametrize("seeds", [[1, 2], [1, 2, 3]])
def test_a_queue_part_full_or_full_goes_on_where_it_was(seeds):
    first, second = prototypes(), prototypes()
    fed(first, seeds)
    second.load_state_dict(first.state_dict())
    for (_, ours), (_, theirs) in zip(fed(first, [7, 8]), fed(second, [7, 8]), strict=True):
        assert torch.equal(ours, theirs) if ours is not None else theirs is None
    assert torch.equal(first.queue, second.queue)


def test_a_saved_queue_holds_nothing_but_its_rows():
    module = prototypes()
    fed(module, [1, 2, 3])
    stored = module.state_dict()["queue"].untyped_storage().nbytes()
    assert stored == 2 * LENGTH * WIDTH * 8


def step(module, optimizer, epoch, share):
    scores, _ = module(embeddings(5), at(epoch, share))
    optimizer.zero_grad()
    (scores.square().sum() + embeddings(6).requires_grad_().sum()).backward()
    optimizer.step()
    module.after_update(at(epoch, share))


@pytest.mark.parametrize("frozen", [1, 1.5])
def test_frozen_prototypes_do_not_move_by_decay_or_momentum(frozen):
    module = prototypes(frozen_epochs=frozen)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = module.weight.detach().clone()
    shares = [(epoch, share) for epoch in range(3) for share in (0.0, 0.5)]
    moved = []
    for epoch, share in shares:
        step(module, optimizer, epoch, share)
        moved.append(not torch.equal(module.weight, before))
    assert moved == [epoch + share >= frozen for epoch, share in shares]


def test_prototypes_have_unit_length_at_first_and_after_every_update():
    module = prototypes()
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0, momentum=0.9, weight_decay=0.1)
    for epoch in range(4):
        lengths = module.weight.detach().norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones(4).double(), rtol=0, atol=1e-6)
        step(module, optimizer, epoch, 0.0)


def queue_of_a_rank():
    module, ranks = prototypes(queue_length=8), distributed.world_size()
    for seed in (1, 2):
        own = embeddings(seed, 4).chunk(ranks, dim=1)[distributed.rank()]
        module(own, at(0))
        module.after_update(at(0))
    _, queued = module(embeddings(3), at(0))
    return module.queue, queued.detach()


def test_two_ranks_have_the_queue_of_one_process_and_share_its_scores(run_ranks):
    queue, scores = queue_of_a_rank()
    (first, even), (second, odd) = run_ranks(queue_of_a_rank)
    assert torch.equal(first, queue)
    assert torch.equal(second, queue)
    torch.testing.assert_close(even, scores[:, 0::2], rtol=0, atol=1e-12)
    torch.testing.assert_close(odd, scores[:, 1::2], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "prototypes.count and prototypes.width must be at least 1, got 0 and 6"),
        ({"queue_length": -1}, r"must be at least 0, got 0\.0, -1 and 0"),
        ({"frozen_epochs": -1}, r"must be at least 0, got -1, 0 and 0"),
    ],
)
def test_refuses_sizes_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        Prototypes(**{"width": WIDTH, "count": 4} | settings)
