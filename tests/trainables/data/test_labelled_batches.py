"""Labelled batches: who keeps a label, what a step draws of them, and when it ends."""

import math

import pytest
import torch
from fake_ranks import fake_ranks

from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet
from trainables.data.labelled_batches import LabelledBatches, Supervision

CLASSES, PER_CLASS, SIZE = 5, 3, 8


def numbered(count=120, num_labelled=None):
    """Images whose every pixel is their row number; classes come in no order."""
    rows = torch.arange(count)
    images = rows.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return ImageSet(images, (rows * 7 + rows // 9)[:num_labelled] % CLASSES)


def batches_of(train, *, seed=0, batch_size=SIZE, **changes):
    settings = {"fraction": 0.6, "images_per_class": PER_CLASS} | changes
    return LabelledBatches(
        train, batch_size=batch_size, seed=seed, labelled=Supervision(**settings)
    )


def drawn(batches, epoch):
    """Return the labelled rows of each step."""
    return torch.stack([batch.indices[: len(batch.labels)] for batch in batches.epoch(epoch)])


def kept(labels, fraction, seed=0):
    supervision = Supervision(fraction=fraction, images_per_class=2, seed=seed)
    return torch.cat(supervision.members(labels)).sort().values.tolist()


def test_every_step_has_equally_many_different_images_of_every_class_first():
    train = numbered()
    for batch in batches_of(train).epoch(0):
        rows = batch.indices[: len(batch.labels)].tolist()
        assert len(batch) == CLASSES * PER_CLASS + SIZE
        assert batch.labels.tolist() == list(range(CLASSES)) * PER_CLASS
        assert len(set(rows)) == len(rows)


def test_images_labels_and_indices_belong_together():
    train = numbered()
    for batch in batches_of(train).epoch(0):
        torch.testing.assert_close(batch.images[:, 0, 0, 0] * 255, batch.indices.float())
        assert torch.equal(batch.labels, train.labels[batch.indices[: len(batch.labels)]])


def test_the_unlabelled_part_is_that_of_shuffled_batches():
    train = numbered()
    plain = ShuffledBatches(train, batch_size=SIZE, seed=3)
    batches = batches_of(train, seed=3)
    assert len(batches) == len(plain)
    for batch, expected in zip(batches.epoch(2), plain.epoch(2), strict=True):
        first = len(batch.labels)
        assert torch.equal(batch.indices[first:], expected.indices)
        assert torch.equal(batch.images[first:], expected.images)


def test_steps_draw_anew_from_all_that_keep_a_label_and_from_no_others():
    train = numbered()
    steps = torch.cat([drawn(batches_of(train), epoch) for epoch in range(10)])
    assert len({tuple(rows.tolist()) for rows in steps}) == len(steps)
    assert sorted(set(steps.flatten().tolist())) == kept(train.labels, 0.6)


def test_each_image_of_a_class_is_drawn_equally_often():
    train = numbered()
    steps = torch.cat([drawn(batches_of(train), epoch) for epoch in range(60)])
    members = Supervision(fraction=0.6, images_per_class=2).members(train.labels)
    for rows in members:
        share = PER_CLASS / len(rows)
        deviation = math.sqrt(share * (1 - share) / len(steps))
        for row in rows:
            often = (steps == row).sum().item() / len(steps)
            assert often == pytest.approx(share, abs=5 * deviation)


def test_the_trials_seed_moves_the_draws_but_not_who_keeps_a_label():
    train = numbered()
    first, other = (
        torch.cat([drawn(batches_of(train, seed=s), e) for e in range(10)]) for s in (0, 1)
    )
    assert not torch.equal(first, other)
    assert set(first.flatten().tolist()) == set(other.flatten().tolist())


def test_another_label_seed_lets_others_keep_theirs():
    labels = numbered().labels
    assert kept(labels, 0.5, seed=0) != kept(labels, 0.5, seed=1)


def test_every_label_is_kept_with_the_probability_given_and_by_itself():
    labels = torch.arange(20_000) % 2
    rows = kept(labels, 0.1)
    assert len(rows) == pytest.approx(2000, abs=5 * math.sqrt(20_000 * 0.1 * 0.9))
    neighbours = sum(row + 1 in set(rows[i : i + 2]) for i, row in enumerate(rows))
    assert neighbours == pytest.approx(200, abs=5 * math.sqrt(200))


def test_a_larger_fraction_keeps_what_a_smaller_one_keeps():
    labels = torch.arange(1000) % 3
    assert set(kept(labels, 0.2)) < set(kept(labels, 0.5)) < set(kept(labels, 1.0))
    assert kept(labels, 1.0) == list(range(1000))


def test_draws_depend_on_seed_and_epoch_and_on_nothing_else():
    train = numbered()
    expected, state = drawn(batches_of(train, seed=3), 7), torch.get_rng_state()
    assert torch.equal(drawn(batches_of(train, seed=3), 7), expected)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(drawn(batches_of(train, seed=3), 8), expected)


@pytest.mark.parametrize(("switch_off", "on"), [(0, 0), (2, 2), (None, 4)])
def test_from_the_switch_off_on_batches_are_the_unlabelled_ones(switch_off, on):
    train = numbered()
    batches = batches_of(train, switch_off=switch_off)
    for epoch in range(4):
        for batch in batches.epoch(epoch):
            assert len(batch.labels) == (CLASSES * PER_CLASS if epoch < on else 0)
            assert len(batch) == SIZE + len(batch.labels)


def test_images_without_a_label_are_drawn_among_the_unlabelled_only():
    train = numbered(120, num_labelled=80)
    batches = batches_of(train, fraction=1.0)
    assert drawn(batches, 0).max() < 80
    unlabelled = torch.cat([batch.indices[len(batch.labels) :] for batch in batches.epoch(0)])
    assert sorted(unlabelled.tolist()) == list(range(120))


def batches_of_a_rank():
    batches = batches_of(numbered(), images_per_class=4, seed=1)
    parts = []
    for batch in batches.epoch(2):
        first = len(batch.labels)
        parts.append(
            (batch.images[:first], batch.images[first:], batch.labels, batch.indices[first:])
        )
    return parts


def test_two_ranks_share_the_batches_of_one_process_and_each_sees_all_classes(run_ranks):
    ranks = run_ranks(batches_of_a_rank)
    for whole, *parts in zip(batches_of_a_rank(), *ranks, strict=True):
        for expected, *pieces in zip(whole, *parts, strict=True):
            assert torch.equal(torch.cat(pieces), expected)
        for _, _, labels, _ in parts:
            assert labels.bincount().tolist() == [2] * CLASSES


def refusal_of_a_share():
    with pytest.raises(ValueError, match=r"labels\.images_per_class .* multiple of it, got 3\."):
        batches_of(numbered())
    with pytest.raises(ValueError, match=r"scaling\.num_workers=2 .* multiple of it, got 7\."):
        batches_of(numbered(), images_per_class=2, batch_size=7)
    return True


def test_refuses_sizes_that_ranks_cannot_share(run_ranks):
    assert run_ranks(refusal_of_a_share) == [True, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fraction": 0.0}, r"labels\.fraction must be in \(0, 1\], got 0\.0"),
        ({"fraction": 1.5}, r"labels\.fraction must be in \(0, 1\], got 1\.5"),
        ({"images_per_class": 1}, r"labels\.images_per_class must be at least 2, got 1"),
        ({"switch_off": -1}, r"labels\.switch_off must be at least 0 epochs.* got -1"),
    ],
)
def test_refuses_settings_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        batches_of(numbered(), **changes)


def test_refuses_more_images_of_a_class_than_keep_a_label():
    members = Supervision(fraction=0.2, images_per_class=2).members(numbered().labels)
    fewest = min(map(len, members))
    batches_of(numbered(), fraction=0.2, images_per_class=fewest)
    message = rf"images_per_class must be at most {fewest}, .*labels\.fraction=0\.2, got 20\."
    with pytest.raises(ValueError, match=message):
        batches_of(numbered(), fraction=0.2, images_per_class=20)


def test_refuses_a_training_set_without_labels():
    with pytest.raises(ValueError, match="needs training images with labels, got none"):
        batches_of(numbered(num_labelled=0))


def test_a_step_draws_its_classes_anew_and_every_draw_the_same_ones():
    train, found = numbered(), []
    for batch in batches_of(train, classes_per_batch=2, draws=4, images_per_class=3).epoch(0):
        labels, rows = batch.labels.view(4, 3, 2), batch.indices[:24].view(4, 3, 2)
        assert (labels == labels[0, 0]).all()
        assert labels[0, 0].unique().numel() == 2
        for draw in rows:
            assert draw.unique().numel() == 6
        found.append(tuple(labels[0, 0].tolist()))
    assert len(set(found)) > 3


def test_more_draws_than_a_class_has_images_repeat_some():
    train = numbered(30)
    batch = next(batches_of(train, fraction=1.0, draws=20, images_per_class=4).epoch(0))
    assert len(batch.labels) == 20 * 4 * CLASSES
    assert batch.indices[: len(batch.labels)].unique().numel() == 30


def test_ranks_share_a_batch_of_several_draws():
    train = numbered(128)
    changes = {"classes_per_batch": 3, "draws": 4, "images_per_class": 2}
    alone = drawn(batches_of(train, **changes), 1)
    parts = []
    for rank in range(4):
        with fake_ranks(4, rank=rank):
            parts.append(drawn(batches_of(train, **changes), 1))
    assert torch.equal(torch.cat(parts, dim=1), alone)
    with (
        fake_ranks(4),
        pytest.raises(ValueError, match=r"times labels\.draws=3 is shared .* got 3"),
    ):
        batches_of(train, images_per_class=3, draws=3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"draws": 0}, r"labels\.draws must be a whole number of at least 1, got 0"),
        ({"classes_per_batch": 1}, r"labels\.classes_per_batch, .* at least 2, got 1"),
        ({"classes_per_batch": 6}, r"labels\.classes_per_batch must be at most 5, .* got 6"),
        ({"files": "/none"}, r"labels\.files=/none lists images of a pack .* these data are none"),
    ],
)
def test_draws_that_cannot_be_made_are_said(changes, says):
    with pytest.raises(ValueError, match=says):
        batches_of(numbered(), **changes)


def test_every_image_of_a_class_is_drawn_as_often_as_another():
    train = numbered(25)
    batch = next(batches_of(train, fraction=1.0, draws=4000, images_per_class=3).epoch(0))
    counts = batch.indices[: len(batch.labels)].bincount(minlength=25).double()
    shares = counts / (4000 * 3) * train.labels.bincount()[train.labels]  # of its class
    assert shares.min() > 0.95
    assert shares.max() < 1.05
