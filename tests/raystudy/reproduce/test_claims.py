"""Claims: signs over common seeds, their p-values, and what it would take to decide."""

import random

import numpy as np
import pytest
from scipy import stats

from raystudy.evaluation.published_table import Claim
from raystudy.reproduce import claims
from raystudy.reproduce.contrast import contrast_test, detectable, flatness_test, seeds_to_see


def claim(kind, *rows, peak=""):
    return Claim(words=kind, kind=kind, rows=rows, columns=("clean",), peak=peak)


def runs(**means):
    """Points with these means on four seeds, a little noise and a level of each seed's own."""
    draw = random.Random(3)
    levels = [draw.gauss(0, 2) for _ in range(4)]
    return {
        (row, "clean"): {seed: mean + levels[seed] + draw.gauss(0, 0.1) for seed in range(4)}
        for row, mean in means.items()
    }


def judged(one, values):
    return claims.judge({"it": one}, values)["it"]


def test_two_points_are_a_paired_t_test():
    values = np.array([[3.1, 4.0, 5.2, 3.9], [2.9, 3.1, 4.4, 3.7]])
    found = contrast_test(values, [1, -1])
    assert found.p_for == pytest.approx(
        stats.ttest_rel(values[0], values[1], alternative="greater").pvalue
    )
    assert found.p_for + found.p_against == pytest.approx(1)


def test_flatness_against_is_the_f_test_of_a_randomised_block():
    values = np.random.default_rng(0).normal(size=(2, 6))
    found = flatness_test(values)
    assert found.p_against == pytest.approx(stats.ttest_rel(*values).pvalue)


@pytest.mark.parametrize(
    ("one", "means", "word"),
    [
        (claim("greater", "a", "b"), {"a": 3, "b": 1}, "confirmed"),
        (claim("greater", "a", "b"), {"a": 1, "b": 3}, "contradicted"),
        (claim("greater", "a", "b"), {"a": 1, "b": 1}, "undecided"),
        (claim("rising", "a", "b", "c"), {"a": 1, "b": 2, "c": 3}, "confirmed"),
        (claim("falling", "a", "b", "c"), {"a": 1, "b": 2, "c": 3}, "contradicted"),
        (claim("interior", "a", "b", "c", peak="b"), {"a": 1, "b": 3, "c": 1}, "confirmed"),
        (claim("interior", "a", "b", "c", peak="b"), {"a": 1, "b": 2, "c": 3}, "contradicted"),
        (claim("nearer", "a", "b", "c"), {"a": 4, "b": 5, "c": 0}, "confirmed"),
        (claim("nearer", "a", "b", "c"), {"a": 1, "b": 5, "c": 0}, "contradicted"),
        (claim("flat", "a", "b", "c"), {"a": 1, "b": 3, "c": 5}, "contradicted"),
    ],
)
def test_each_kind_of_claim_follows_the_sign_planted(one, means, word):
    assert judged(one, runs(**means)).word == word


def test_flatness_is_confirmed_only_by_seeds_enough_to_show_it():
    rng = np.random.default_rng(5)

    def points(seeds):
        return {
            (row, "clean"): dict(enumerate(rng.normal(50, 1, size=seeds))) for row in "abcdefgh"
        }

    one = claim("flat", *"abcdefgh")
    few = judged(one, points(2))
    assert few.word == "undecided"
    assert few.seeds_needed
    assert judged(one, points(30)).word == "confirmed"


def test_equals_are_called_different_in_five_of_a_hundred_tables_at_most():
    rng = np.random.default_rng(7)
    pairs = {f"{a}{b}": claim("greater", a, b) for a, b in ("ab", "cd", "ef", "gh")}
    wrong = 0
    for _ in range(300):
        values = {(row, "clean"): dict(enumerate(rng.normal(size=3))) for row in "abcdefgh"}
        found = claims.judge(pairs, values).values()
        wrong += any(verdict.word != "undecided" for verdict in found)
    assert wrong <= 0.08 * 300


def test_more_claims_make_each_harder():
    values = runs(a=1.25, b=1)
    alone = claims.judge({"1": claim("greater", "a", "b")}, values)["1"]
    several = claims.judge({str(n): claim("greater", "a", "b") for n in range(5)}, values)["1"]
    assert several.p_holm == pytest.approx(5 * alone.p_holm)


def test_a_point_without_runs_is_named():
    found = judged(claim("greater", "a", "b"), runs(a=1))
    assert (found.word, found.words) == ("not run", "there are no runs of b, clean")


def test_one_common_seed_is_no_test():
    found = judged(claim("greater", "a", "b"), {("a", "clean"): {0: 1.0}, ("b", "clean"): {0: 2.0}})
    assert found.word == "undecided"
    assert found.seeds_needed == 2


def test_the_seeds_named_see_the_difference_and_one_less_does_not():
    n = seeds_to_see(0.5, 0.4)
    assert detectable(0.4, n, n - 1) <= 0.5 < detectable(0.4, n - 1, n - 2)


def test_identical_runs_leave_the_sign_alone_to_speak():
    found = contrast_test(np.array([[2.0, 2.0, 2.0], [1.0, 1.0, 1.0]]), [1, -1])
    assert found.p_for == pytest.approx(1 / 8)
