"""The statistics of a race against scipy, tables and their definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raystudy.confirm.statistics import (
    holm,
    noise_floor,
    paired_t,
    seeds_to_detect,
    sign_flip,
    significant_difference,
)

accuracies = st.integers(0, 1000).map(lambda right: right / 1000)  # of a thousand images
DARWIN = (  # heights of 15 pairs of plants in inches; Fisher 1935, Sec. 17
    [23.5, 12, 21, 22, 19.125, 21.5, 22.125, 20.375, 18.25, 21.625, 23.25, 21, 22.125, 23, 12],
    [17.375, 20.375, 20, 20, 18.375, 18.625, 18.625, 15.25, 16.5, 18, 16.25, 18, 12.75, 15.5, 18],
)


def pairs(seed, size, shift=0.0):
    draws = np.random.default_rng(seed).normal(0, 1, (2, size))
    return list(draws[0] + shift), list(draws[1])


@pytest.mark.parametrize("size", [2, 3, 4, 8, 20])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_paired_t_test_is_scipys(size, confidence):
    ours, theirs = pairs(size, size, shift=0.7)
    expected = stats.ttest_rel(ours, theirs)
    low, high = expected.confidence_interval(confidence)
    found = paired_t(ours, theirs, confidence=confidence)
    assert found == pytest.approx(
        (np.mean(np.subtract(ours, theirs)), low, high, expected.pvalue), abs=1e-9
    )


def test_darwins_plants_give_fishers_p_values():
    assert paired_t(*DARWIN).p_value == pytest.approx(0.0497, abs=5e-4)  # t = 2.148, 14 degrees
    assert sign_flip(*DARWIN) == pytest.approx(1726 / 32768, abs=1e-12)  # Fisher's count, Sec. 21


def test_differences_that_are_all_equal_are_as_surprising_as_signs_can_be():
    assert paired_t([0.5, 0.6, 0.7], [0.4, 0.5, 0.6]).p_value == 0.25
    assert paired_t([0.5, 0.6], [0.5, 0.6]).p_value == 1


@given(st.lists(st.tuples(accuracies, accuracies), min_size=1, max_size=7))
def test_flipping_signs_is_what_its_definition_says(runs):
    differences = [a - b for a, b in runs]
    as_large = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        >= abs(sum(differences)) - 1e-12
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    expected = sum(as_large) / len(as_large)
    assert sign_flip(*zip(*runs, strict=True)) == pytest.approx(expected, abs=1e-12)


def test_a_sum_that_is_zero_but_for_rounding_is_no_difference():
    assert sign_flip([0.1, 0.2, 0.0], [0.0, 0.0, 0.3]) == 1  # 0.1 + 0.2 - 0.3 is 5.6e-17
    assert sign_flip([0.7], [0.1]) == 1


def test_signs_are_flipped_in_all_ways_or_not_at_all():
    with pytest.raises(ValueError, match="1 to 20 pairs, got 21"):
        sign_flip([1.0] * 21, [0.0] * 21)


def test_holm_as_in_a_worked_example():
    # 0.01 x 4, 0.02 x 3, 0.03 x 2 (not below the one before), 0.04 x 1 (likewise).
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_keeps_the_order_and_lies_between_the_p_values_and_bonferroni(p_values):
    adjusted = holm(p_values)
    ascending = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert all(adjusted[i] <= adjusted[j] for i, j in itertools.pairwise(ascending))
    for before, after in zip(p_values, adjusted, strict=True):
        assert before <= after <= min(1, len(p_values) * before) or after == pytest.approx(before)


def test_for_two_configurations_tukeys_test_is_the_paired_t_test():
    values = np.array(pairs(4, 6, shift=0.5))
    p_value = paired_t(*values).p_value
    ahead = abs(values[0].mean() - values[1].mean())
    assert significant_difference(values, p_value) == pytest.approx(ahead, rel=1e-6)


def test_the_significant_difference_by_its_formula_and_a_tables_quantile():
    values = np.random.default_rng(0).normal(0, 1, (3, 4))
    fitted = values.mean(1, keepdims=True) + values.mean(0) - values.mean()
    s = math.sqrt(((values - fitted) ** 2).sum() / 6)
    tabled = 4.339  # q(0.95; 3, 6)
    assert significant_difference(values, 0.05) == pytest.approx(tabled * s / 2, rel=2e-4)


def test_what_all_share_of_a_seed_does_not_count():
    values = np.random.default_rng(0).normal(0, 1, (4, 3))
    luck = np.array([5.0, -7.0, 0.5])
    assert significant_difference(values + luck, 0.05) == pytest.approx(
        significant_difference(values, 0.05)
    )


@pytest.mark.parametrize(("difference", "sd"), [(0.01, 0.02), (0.5, 0.1), (0.03, 0.01), (1, 0)])
def test_so_many_seeds_see_a_difference_and_one_fewer_do_not(difference, sd):
    def seen_from(n):
        return stats.t.ppf(0.975, 2 * n - 2) * sd * np.sqrt(2 / n)

    n = seeds_to_detect(difference, sd)
    assert seen_from(n) <= difference
    assert n == 2 or seen_from(n - 1) > difference


def test_the_noise_floor_is_where_t_tests_begin_to_see():
    recipe, other = [0.40, 0.42, 0.41, 0.45], [0.50, 0.51, 0.53, 0.52]
    floor = noise_floor(recipe, [other])
    assert (floor.seeds, floor.sd) == (4, pytest.approx(np.std(recipe, ddof=1)))
    moved = np.array(other) - np.mean(other) + np.mean(recipe) + floor.paired
    assert paired_t(moved, recipe).p_value == pytest.approx(0.05, abs=1e-9)
    twin = np.array(recipe) + floor.unpaired  # as many seeds that vary as much
    assert stats.ttest_ind(twin, recipe).pvalue == pytest.approx(0.05, abs=1e-9)
    single = stats.t.ppf(0.975, 3) * floor.sd * math.sqrt(2)
    assert floor.one_seed == pytest.approx(single, abs=1e-9)


def test_without_pairs_there_is_no_paired_floor():
    assert noise_floor([0.1, 0.2]).paired is None
