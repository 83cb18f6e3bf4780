"""Confidence intervals against closed forms, tables and scipy."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trainables.evaluate.intervals import clopper_pearson, over_seeds, t_quantile

CONFIDENCES = (0.9, 0.95, 0.999)


@pytest.mark.parametrize("images", [1, 7, 10_000])
def test_with_nothing_wrong_it_is_the_closed_form(images):
    # P(all right | p) = p^n = alpha / 2.
    assert clopper_pearson(images, images) == pytest.approx((1, 0.025 ** (1 / images), 1))
    assert clopper_pearson(0, images) == pytest.approx((0, 0, 1 - 0.025 ** (1 / images)))


def test_four_of_ten_as_tables_print_it():
    assert clopper_pearson(4, 10) == pytest.approx((0.4, 0.1216, 0.7376), abs=5e-5)


@given(st.integers(1, 20_000), st.floats(0, 1), st.sampled_from(CONFIDENCES))
def test_it_is_scipys_exact_interval(images, share, confidence):
    right = round(share * images)
    expected = stats.binomtest(right, images).proportion_ci(confidence, method="exact")
    found = clopper_pearson(right, images, confidence=confidence)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-11)


def test_it_covers_the_true_share_at_least_as_often_as_promised():
    images, share = 20, 0.37
    covered = 0.0
    for right in range(images + 1):
        low, high = clopper_pearson(right, images)[1:]
        if low <= share <= high:
            covered += math.comb(images, right) * share**right * (1 - share) ** (images - right)
    assert 0.95 <= covered < 1


@pytest.mark.parametrize(("right", "images"), [(-1, 5), (6, 5), (0, 0)])
def test_counts_that_cannot_be_are_refused(right, images):
    with pytest.raises(ValueError, match="right"):
        clopper_pearson(right, images)


def test_confidence_is_a_probability():
    with pytest.raises(ValueError, match="confidence"):
        clopper_pearson(1, 2, confidence=95)


@pytest.mark.parametrize(
    ("degrees", "expected"), [(1, 12.706), (2, 4.303), (4, 2.776), (30, 2.042)]
)
def test_students_quantiles_are_those_of_the_tables(degrees, expected):
    assert t_quantile(0.975, degrees) == pytest.approx(expected, abs=5e-4)


def test_three_seeds_by_hand():
    # Mean 2, s = 1, t = 4.3027: 2 +- 4.3027 / sqrt(3).
    assert over_seeds([1.0, 2.0, 3.0]) == pytest.approx((2, 2 - 2.48414, 2 + 2.48414), abs=1e-4)


def test_equal_seeds_have_no_width():
    assert over_seeds([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


def test_one_seed_has_no_interval():
    with pytest.raises(ValueError, match="at least 2"):
        over_seeds([0.9])


def test_the_interval_over_seeds_covers_the_mean_as_often_as_promised():
    draw = random.Random(0)
    hits = 0
    for _ in range(2000):
        found = over_seeds([draw.gauss(0, 1) for _ in range(3)])
        hits += found.low <= 0 <= found.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)  # three standard errors
