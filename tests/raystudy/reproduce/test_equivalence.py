"""Cells: a true repetition is hardly ever called another, a shifted one never a repetition."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raystudy.evaluation.printed import Printed
from raystudy.reproduce.equivalence import binomial_sd, compare


def printed(text):
    return Printed.read(text, where="test")


def by_definition(ours, text, n, images):
    """The docstring's formulas, written again with scipy's own quantiles."""
    x, m = printed(text), len(ours)
    mean = sum(ours) / m
    s = math.sqrt(sum((y - mean) ** 2 for y in ours) / (m - 1))
    share = x.value / 100
    binomial = 100 * math.sqrt(share * (1 - share) / images)
    spread = stats.norm.ppf(0.975) * math.sqrt((x.std or s) ** 2 / n + binomial**2)
    off = abs(mean - x.value)
    if off + stats.t.ppf(0.95, m - 1) * s / math.sqrt(m) <= x.rounding + spread:
        return "reproduced"
    if off > x.rounding + spread + stats.t.ppf(0.975, m - 1) * s / math.sqrt(m):
        return "higher" if mean > x.value else "lower"
    return "undecided"


@given(
    st.lists(st.floats(30, 40), min_size=2, max_size=8),
    st.sampled_from(["37.33", "37.3", "35", "36.1±.2"]),
    st.integers(1, 5),
)
def test_a_verdict_is_that_of_the_formula(ours, text, n):
    found = compare(ours, printed(text), runs=n, binomial=binomial_sd(printed(text).value, 10000))
    assert found.word == by_definition(ours, text, n, 10000)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("noise", [0.1, 0.4, 1.5])
def test_a_true_repetition_is_rarely_other_than_reproduced_or_undecided(seeds, noise):
    draw = random.Random(0)
    words = []
    for _ in range(400):
        theirs = printed(f"{draw.gauss(37.3, noise):.2f}")
        ours = [draw.gauss(37.3, noise) for _ in range(seeds)]
        found = compare(ours, theirs, binomial=binomial_sd(theirs.value, 10000))
        words.append(found.word)
    assert sum(word in ("higher", "lower") for word in words) <= 0.05 * 400
    assert words.count("reproduced") > 0.2 * 400 or seeds == 2


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("shift", [3.0, -4.0, 8.0])
def test_a_shift_of_several_points_is_never_reproduced(seeds, shift):
    draw = random.Random(1)
    for _ in range(400):
        theirs = printed(f"{draw.gauss(37.3, 0.3):.2f}")
        ours = [draw.gauss(37.3 + shift, 0.3) for _ in range(seeds)]
        found = compare(ours, theirs, binomial=binomial_sd(theirs.value, 10000))
        assert found.word != "reproduced"


def test_more_digits_and_more_images_narrow_the_width():
    ours = [37.1, 37.3, 37.2]
    coarse, fine = (compare(ours, printed(text)).width for text in ("37", "37.00"))
    assert coarse - fine == pytest.approx(0.495)
    few, many = (
        compare(ours, printed("37.00"), binomial=binomial_sd(37, n)).width for n in (100, 10000)
    )
    assert few > many > fine


def test_a_single_run_decides_nothing_unless_a_deviation_is_printed():
    assert compare([37.33], printed("37.33")).word == "undecided"
    assert compare([90.3], printed("90.3±.1"), binomial=0.3).word == "reproduced"
    assert compare([95.0], printed("90.3±.1"), binomial=0.3).word == "higher"
    assert compare([80.0], printed("90.3±.1"), binomial=0.3).word == "lower"


def test_printed_digits_keep_their_last_zero():
    assert printed("59.10").rounding == pytest.approx(0.005)
    assert printed("59.1").rounding == pytest.approx(0.05)
    assert (printed("56.2±1.2").value, printed("56.2±1.2").std) == (56.2, 1.2)
