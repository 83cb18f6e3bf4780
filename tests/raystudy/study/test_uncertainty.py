"""What counts of images leave open, against definitions and other libraries."""

import numpy as np
import pytest
from scipy import stats

from raystudy.config.spec import Objective
from raystudy.search.halving import front
from raystudy.study import uncertainty
from raystudy.trial.info import TrialSummary

CLEAN, ROBUST = Objective(metric="val/accuracy"), Objective(metric="val/robust_accuracy")
BOTH = (CLEAN, ROBUST)
ON = {one.metric: 360 for one in BOTH}


def trials(counts, images=360, violations=None):
    """Return complete trials with (clean, robust) counts of images."""
    return [
        TrialSummary(
            number=number,
            state="complete",
            epoch=1,
            last=dict(zip((CLEAN.metric, ROBUST.metric), (c / images for c in pair), strict=True)),
            violation=(violations or {}).get(number, 0.0),
        )
        for number, pair in enumerate(counts)
    ]


COUNTS = [(250, 150), (260, 145), (270, 140), (240, 160), (280, 99), (301, 97), (200, 96)]


def test_without_a_recorded_count_there_is_no_interval():
    assert uncertainty.estimate(trials(COUNTS), BOTH, {}) is None
    assert uncertainty.estimate(trials(COUNTS), BOTH, {CLEAN.metric: 360}) is None


def test_what_is_no_share_has_no_interval_whatever_was_recorded():
    assert uncertainty.estimate(trials([(400, 100), (200, 100)]), BOTH, ON) is None


def test_a_measure_on_fewer_images_has_the_wider_interval():
    counts = {CLEAN.metric: 3600, ROBUST.metric: 360}
    found = uncertainty.estimate(trials([(180, 180)] * 2), BOTH, counts)
    clean, robust = found.intervals[0].values()
    assert (clean.low, clean.high) == pytest.approx((0.4835, 0.5165), abs=1e-3)
    assert (robust.low, robust.high) == pytest.approx((0.447, 0.553), abs=1e-3)


def test_intervals_are_the_exact_ones_of_the_front_and_the_recipe():
    found = uncertainty.estimate(trials(COUNTS), BOTH, ON)
    assert found.intervals.keys() == {0, 1, 2, 3, 4, 5}
    for number, both in found.intervals.items():
        for k, one in zip(COUNTS[number], both.values(), strict=True):
            exact = stats.binomtest(k, 360).proportion_ci(method="exact")
            assert (one.low, one.high) == pytest.approx((exact.low, exact.high))


def test_whoever_is_ahead_by_far_is_surely_on_the_front_and_equals_share_it():
    found = uncertainty.estimate(
        trials([(300, 200), *[(100 - n, 50 - n) for n in range(10)]]), BOTH, ON
    )
    assert found.chances[0] == 1
    assert all(found.chances[n] == 0 for n in range(1, 11))
    equals = uncertainty.estimate(
        trials([(k, 300) for k in (180, 180, 3, 5, 7, 11, 13)]), (CLEAN,), ON
    )
    assert sum(equals.chances.values()) == pytest.approx(1)
    assert equals.chances[0] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(uncertainty.DRAWS))


def test_of_single_objectives_the_chance_is_that_of_one_beta_above_the_other():
    found = uncertainty.estimate(
        trials([(k, 0) for k in (200, 215, 3, 5, 7, 11, 13)]), (CLEAN,), ON
    )
    a, b = stats.beta(200.5, 160.5), stats.beta(215.5, 145.5)
    grid = np.linspace(0, 1, 4001)
    expected = np.trapezoid(b.pdf(grid) * a.cdf(grid), grid)
    assert found.chances[1] == pytest.approx(expected, abs=0.04)


def test_a_trial_beyond_a_constraint_has_no_chance():
    found = uncertainty.estimate(trials(COUNTS, violations={2: 0.1}), BOTH, ON)
    assert 2 not in found.chances
    assert 2 not in found.intervals


@pytest.mark.parametrize("measures", [1, 2, 3])
def test_the_fast_fronts_are_the_slow_ones(measures):
    points = np.random.default_rng(0).normal(size=(20, 15, measures))
    for chosen, own in zip(uncertainty.on_front(points), points, strict=True):
        assert chosen.tolist() == front(-own).tolist()


def test_the_hypervolume_is_the_area_below_the_stairs():
    stairs = np.array([[0.5, 1.0], [1.0, 0.5], [0.25, 0.25], [0.5, 0.5]])
    assert uncertainty.hypervolume(stairs) == 0.75
    area = uncertainty.estimate(trials(COUNTS), BOTH, ON).hypervolume
    assert area.value == pytest.approx(uncertainty.hypervolume(np.array(COUNTS) / 360))
    assert area.low < area.value < area.high


def test_over_seeds_the_chance_of_two_is_that_of_the_paired_t_test():
    values = np.random.default_rng(0).normal([0.5, 0.52], 0.01, size=(5, 2))
    chances, area = uncertainty.over_seeds(values[..., None])
    p_value = stats.ttest_rel(values[:, 1], values[:, 0], alternative="less").pvalue
    assert chances[1] == pytest.approx(p_value, abs=0.03)
    assert area is None


def test_over_seeds_a_front_is_as_wide_as_its_seeds_vary():
    scatter = np.random.default_rng(1).normal(0, 0.01, size=(5, 3, 2))
    means = np.array([[0.9, 0.3], [0.7, 0.5], [0.5, 0.2]])
    chances, area = uncertainty.over_seeds(means + scatter)
    assert chances == [1, 1, 0]
    assert area.low < area.value < area.high
    assert uncertainty.hypervolume(means) == pytest.approx(area.value, abs=0.02)
    tenth = uncertainty.over_seeds(means + scatter / 10)[1]
    assert tenth.high - tenth.low == pytest.approx((area.high - area.low) / 10, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0.0, 1.0])
def test_the_area_lies_in_its_interval_whether_trials_err_on_the_same_images_or_not(alike):
    """60 studies of 8 trials on 360 images, some of which are hard for all trials."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        strength = rng.uniform(-1, 1, 8)
        true = np.stack([0.75 + 0.05 * strength, 0.45 - 0.05 * strength], axis=1)
        true = np.clip(true + 0.02 * rng.normal(size=true.shape), 0, 1)
        ease = alike * rng.normal(size=(360, 1, 1)) + rng.normal(size=(360, 8, 1))
        right = ease < stats.norm.ppf(true) * np.sqrt(1 + alike**2)
        area = uncertainty.estimate(trials(right.sum(axis=0).tolist()), BOTH, ON).hypervolume
        held += area.low <= uncertainty.hypervolume(true) <= area.high
    assert held >= 57
