"""Learning-rate schedules at the points the papers and their code give."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.optim.schedules import Constant, Steps, Triangular, WarmupCosine

ROCL = WarmupCosine(
    warmup=0.01,
    start=1.0,
    peak=15.0,
    whole_period=True,
    per_epoch=True,
    count="warmup_from_one",
)


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [
        (0, 0.24),  # their scheduler has stepped once
        (4, 0.8),
        (9, 1.5),
        (10, 1.5),
        (510, 0.75),  # half a period after the warm-up
        (999, 1.5 * (1 + math.cos(math.pi * 0.989)) / 2),  # not zero: the cosine is cut off
    ],
)
def test_rocl_rises_to_1_5_in_ten_epochs_and_falls_over_as_many_epochs_as_there_are(epoch, rate):
    assert 0.1 * ROCL(epoch, 1000) == pytest.approx(rate)


def test_rocls_warm_up_keeps_its_share_of_a_shorter_training():
    schedule = WarmupCosine(warmup=0.1, start=1.0, peak=15.0, whole_period=True)
    for share in (0.0, 0.05, 0.1, 0.5, 0.9):
        assert schedule(share * 12, 12) == pytest.approx(schedule(share * 1000, 1000))


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0, 0), (5, 0.5), (10, 1), (505, 0.5), (1000, 0), (257.5, 0.853553391)]
)
def test_simclr_warms_up_for_ten_of_thousand_epochs_and_ends_at_nothing(epoch, factor):
    schedule = WarmupCosine(warmup=0.01)
    assert schedule(epoch, 1000) == pytest.approx(factor, abs=1e-9)


def test_suncet_on_imagenet_goes_from_0_6_to_4_8_and_ends_at_0_048():
    schedule = WarmupCosine(warmup=10 / 500, start=0.6 / 4.8, peak=1.0, end=0.01)
    assert 4.8 * schedule(0, 500) == pytest.approx(0.6)
    assert 4.8 * schedule(10, 500) == pytest.approx(4.8)
    assert 4.8 * schedule(500, 500) == pytest.approx(0.048)


@pytest.mark.parametrize("max_epochs", [12, 200])
def test_without_warm_up_it_is_torchs_cosine(max_epochs):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.7)
    official = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max_epochs)
    for epoch in range(max_epochs):
        expected = optimizer.param_groups[0]["lr"]
        assert 0.7 * WarmupCosine()(epoch, max_epochs) == pytest.approx(expected)
        optimizer.step()
        official.step()


@given(st.integers(1, 3000), st.integers(1, 400), st.data())
def test_per_epoch_all_steps_of_an_epoch_have_its_first_rate(max_epochs, steps, data):
    schedule = WarmupCosine(warmup=0.05, start=0.1, per_epoch=True)
    step = data.draw(st.integers(0, max_epochs * steps - 1))
    # As the trainer computes it: the share of all steps, then epochs.
    epoch = step / (max_epochs * steps) * max_epochs
    assert schedule(epoch, max_epochs) == schedule(step // steps, max_epochs)


@given(st.floats(0, 0.9), st.floats(0, 2), st.floats(0, 20), st.floats(0, 1), st.booleans())
def test_is_continuous_where_the_warm_up_ends_and_stays_between_its_ends(
    warmup, start, peak, end, whole_period
):
    schedule = WarmupCosine(
        warmup=warmup, start=start, peak=peak, end=end, whole_period=whole_period
    )
    assert schedule(100 * warmup, 100) == pytest.approx(peak, abs=1e-6)
    if warmup > 0.01:
        assert schedule(100 * warmup - 1e-9, 100) == pytest.approx(peak, abs=1e-6)
    low, high = min(start, peak, end), max(start, peak, end)
    assert all(low - 1e-9 <= schedule(e, 100) <= high + 1e-9 for e in range(101))


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 0.1), (49.99, 0.1), (50, 0.01), (99, 0.01), (100, 0.001), (149, 0.001)]
)
def test_steps_fall_to_a_tenth_every_50_of_150_epochs(epoch, rate):
    assert 0.1 * Steps(milestones=[1 / 3, 2 / 3])(epoch, 150) == pytest.approx(rate)


def test_steps_can_start_with_a_linear_warmup():
    schedule = Steps(milestones=[2 / 3, 8 / 9], warmup=1 / 90, start=0.001)  # detectron2's 1x
    factors = [schedule(update, 90_000) for update in (0, 500, 1000, 59_999, 60_000, 80_000)]
    assert factors == pytest.approx([0.001, 0.5005, 1, 1, 0.1, 0.01])


def test_steps_of_a_linear_evaluation_fall_at_30_50_and_100_of_150_epochs():
    schedule = Steps(milestones=[30 / 150, 50 / 150, 100 / 150], gamma=0.1)
    rates = [round(-math.log10(schedule(epoch, 150))) for epoch in (29, 30, 49, 50, 99, 100)]
    assert rates == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 0), (3.75, 0.1), (7.5, 0.2), (11.25, 0.1), (15, 0)]
)
def test_fast_adversarial_training_peaks_at_half_of_its_15_epochs(epoch, rate):
    assert 0.2 * Triangular()(epoch, 15) == pytest.approx(rate, abs=1e-12)


def test_the_peak_can_come_earlier():
    schedule = Triangular(top=0.4)
    assert [schedule(e, 15) for e in (3, 6, 10.5, 15)] == pytest.approx([0.5, 1, 0.5, 0])


def test_constant_is_one():
    assert [Constant()(epoch, 10) for epoch in (0, 4.5, 10)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("cls", "bad"),
    [
        (WarmupCosine, {"warmup": 1.0}),
        (WarmupCosine, {"warmup": -0.1}),
        (Steps, {"milestones": [0.5, 0.2]}),
        (Steps, {"milestones": [30, 60]}),
        (Steps, {"warmup": 1.0, "milestones": [0.5]}),
        (Steps, {"start": -0.1, "milestones": [0.5]}),
        (Triangular, {"top": 1.0}),
    ],
)
def test_lengths_that_are_no_shares_of_training_are_refused_by_name(cls, bad):
    with pytest.raises(ValueError, match=f"lr_schedule.{next(iter(bad))}"):
        cls(**bad)
