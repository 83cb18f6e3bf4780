"""What a race came to, by hand."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from raystudy.config.spec import Objective
from raystudy.confirm import conclusions
from raystudy.confirm.race import Departure
from raystudy.confirm.verdict import Outcomes, sum_up
from raystudy.storage.plans import ConfirmPlan
from raystudy.trial.info import TrialSummary

ROBUST = Objective(metric="val/robust_accuracy")
LOSS = Objective(metric="val/loss", direction="minimize", worst=9.0)
SEEDS = (1, 2, 3, 4)
SCATTER = np.array([0.0, 0.02, -0.01, 0.005])


def outcomes(val, test, *, objectives=(ROBUST,), departures=None, states=None):
    """Return what was measured, from values by configuration in the order of seeds."""
    states = states or {}
    runs, tests, number = {}, {}, 0
    for who, of_seeds in val.items():
        for seed, value in zip(SEEDS, of_seeds, strict=False):
            state = states.get((who, seed), "complete")
            last = {objectives[0].metric: float(value)} if state == "complete" else {}
            runs[who, seed] = TrialSummary(number=number, state=state, epoch=3, last=last)
            number += 1
    metric = "test/" + objectives[0].metric.removeprefix("val/")
    for who, of_seeds in test.items():
        for seed, value in zip(SEEDS, of_seeds, strict=False):
            if (who, seed) in runs and runs[who, seed].state == "complete":
                tests[who, seed] = {metric: float(value), "test/accuracy": 0.5}
    plan = ConfirmPlan(
        study="x-1",
        top=3,
        seeds=SEEDS,
        params={who: {"lr": who / 10} for who in val},
        overrides={who: [f"lr={who / 10}"] for who in val},
    )
    return Outcomes(
        plan=plan,
        objectives=objectives,
        runs=runs,
        tests=tests,
        departures=departures or {},
        over="all 4 seeds were run",
    )


VAL = {0: 0.40 + SCATTER, 7: 0.45 + SCATTER[::-1], 3: 0.41 + SCATTER}
TEST = {0: 0.38 + SCATTER, 7: 0.43 + 0.3 * SCATTER, 3: 0.39 - SCATTER}


def test_figures_are_those_of_scipy():
    summary = sum_up(outcomes(VAL, TEST))
    recipe, seven, three = summary["finalists"]
    assert [entry["label"] for entry in summary["finalists"]] == [
        "published recipe",
        "trial 7",
        "trial 3",
    ]
    half = stats.t.ppf(0.975, 3) * np.std(VAL[7], ddof=1) / 2
    assert (seven["low"], seven["mean"], seven["high"]) == pytest.approx(
        (VAL[7].mean() - half, VAL[7].mean(), VAL[7].mean() + half)
    )
    expected = stats.ttest_rel(TEST[7], TEST[0])
    low, high = expected.confidence_interval(0.95)
    measured = seven["test"]["test/robust_accuracy"]
    assert measured["difference"] == pytest.approx((TEST[7] - TEST[0]).mean())
    assert (measured["difference_low"], measured["difference_high"]) == pytest.approx((low, high))
    assert seven["p_value"] == pytest.approx(expected.pvalue)
    assert seven["p_holm"] == pytest.approx(2 * expected.pvalue)
    assert three["p_holm"] == pytest.approx(three["p_value"])
    assert (recipe["p_value"], recipe["p_holm"]) == (None, None)
    assert summary["noise_floor"]["sd"] == pytest.approx(np.std(TEST[0], ddof=1))
    assert summary["noise_floors"]["val/robust_accuracy"]["seeds"] == 4
    json.dumps(summary, allow_nan=False)


def test_several_objectives_are_corrected_together():
    clean = Objective(metric="val/accuracy")
    both = dataclasses.replace(outcomes(VAL, TEST), objectives=(ROBUST, clean))
    for run in both.runs.values():
        run.last[clean.metric] = 0.9
    _, seven, three = sum_up(both)["finalists"]
    robust = [e["test"]["test/robust_accuracy"]["p_value"] for e in (seven, three)]
    accuracy = [e["test"]["test/accuracy"]["p_value"] for e in (seven, three)]
    assert accuracy == [1, 1]  # the same on every seed
    assert seven["p_holm"] == pytest.approx(4 * min(robust))


def test_the_conclusion_names_who_beats_the_recipe_by_how_much_and_how_surely():
    summary = sum_up(outcomes(VAL, TEST))
    low, high = stats.ttest_rel(TEST[7], TEST[0]).confidence_interval(0.95)
    p = 2 * stats.ttest_rel(TEST[7], TEST[0]).pvalue
    assert summary["conclusion"] == [
        f"trial 7 beats the published recipe by 4.7 points of test/robust_accuracy (95% interval "
        f"{100 * low:.1f} to {100 * high:.1f}), p = {p:.2g} after Holm's correction"
    ]


def test_a_difference_within_the_noise_is_called_noise():
    test = {0: 0.38 + SCATTER, 7: 0.3975 - SCATTER}
    (sentence,) = sum_up(outcomes({0: VAL[0], 7: VAL[7]}, test))["conclusion"]
    assert sentence.startswith(
        "no finalist differs by more than noise from the published recipe: trial 7, the best "
        "on validation images, by +1.0 points of test/robust_accuracy (95% interval -"
    )
    reach = stats.t.ppf(0.975, 3) * np.std(test[7] - test[0], ddof=1) / 2
    assert sentence.endswith(
        f"4 seeds detect single differences of {100 * reach:.1f} points or more"
    )


def test_a_finalist_that_is_surely_worse_is_no_winner():
    test = {0: TEST[7], 7: TEST[0]}
    (sentence,) = sum_up(outcomes({0: VAL[0], 7: VAL[7]}, test))["conclusion"]
    assert sentence.startswith(
        "no finalist beats the published recipe; trial 7 loses to it by 4.7 points"
    )


def test_what_is_minimised_is_better_when_smaller_and_has_no_points():
    val = {0: 2.0 + SCATTER, 7: 1.5 + SCATTER}
    test = {0: 2.1 + SCATTER, 7: 1.5 + 0.3 * SCATTER}
    (sentence,) = sum_up(outcomes(val, test, objectives=(LOSS,)))["conclusion"]
    assert sentence.startswith("trial 7 beats the published recipe by 0.603 of test/loss (95%")


def test_one_seed_is_no_result():
    left = {3: Departure(1, "diverged on seed 2")}
    states = {(3, 2): "diverged"}
    summary = sum_up(
        outcomes({**VAL, 3: [0.5, 0.0]}, {0: TEST[0], 7: TEST[7]}, departures=left, states=states)
    )
    three = summary["finalists"][2]
    assert three["states"] == ["complete", "diverged"]
    assert (three["left"], three["test"], three["p_value"]) == (
        {"round": 1, "reason": "diverged on seed 2"},
        {},
        None,
    )
    alone = sum_up(outcomes({**VAL, 3: [0.5]}, {0: TEST[0], 7: TEST[7]}))["finalists"][2]
    assert (alone["mean"], alone["low"], alone["high"]) == (None, None, None)


def test_a_recipe_that_diverges_on_a_seed_is_worth_the_worst_there():
    summary = sum_up(outcomes(VAL, TEST, states={(0, 2): "diverged"}))
    recipe, seven, _ = summary["finalists"]
    assert recipe["values"][1] == 0.0
    assert recipe["test"]["test/robust_accuracy"]["values"][1] == 0.0
    difference = TEST[7].mean() - np.where([1, 0, 1, 1], TEST[0], 0.0).mean()
    assert seven["test"]["test/robust_accuracy"]["difference"] == pytest.approx(difference)


def test_the_table_has_a_row_for_everybody():
    summary = sum_up(outcomes(VAL, TEST, departures={3: Departure(2, "worse")}))
    table = conclusions.table(summary, ROBUST.metric)
    assert table.row_count == 3
    assert list(table.columns[0].cells) == ["published recipe", "trial 7", "trial 3"]
    assert list(table.columns[-1].cells) == ["", "", "left: worse"]
    assert list(table.columns[4].cells)[:2] == ["-", "+4.7 points"]


def test_what_the_seeds_cannot_see_is_dim():
    test = {0: 0.38 + SCATTER, 7: 0.43 + 0.3 * SCATTER, 3: 0.381 - SCATTER}
    table = conclusions.table(sum_up(outcomes(VAL, test)), ROBUST.metric)
    assert [row.style for row in table.rows] == [None, None, "dim"]


def test_of_two_objectives_each_has_its_chance_to_be_on_the_front():
    clean = Objective(metric="val/accuracy")
    both = dataclasses.replace(outcomes(VAL, TEST), objectives=(ROBUST, clean))
    for (who, _), run in both.runs.items():
        run.last[clean.metric] = {0: 0.9, 7: 0.8, 3: 0.7}[who]
    summary = sum_up(both)
    recipe, seven, three = (entry["front_chance"] for entry in summary["finalists"])
    assert (recipe, seven) == (1, pytest.approx(1, abs=0.05))
    assert three < 0.1
    area = summary["hypervolume"]
    assert area["value"] == pytest.approx(0.9 * VAL[0].mean() + 0.8 * (VAL[7] - VAL[0]).mean())
    assert area["low"] < area["value"] < area["high"]


def test_the_recipe_alone_tells_its_noise_and_what_it_takes_to_see_a_point():
    summary = sum_up(outcomes({0: VAL[0]}, {}))
    sd = np.std(VAL[0], ddof=1)
    floor = summary["noise_floors"]["val/robust_accuracy"]
    assert floor["one_seed"] == pytest.approx(stats.t.ppf(0.975, 3) * sd * np.sqrt(2))
    (sentence,) = summary["conclusion"]
    assert (
        f"varies by {100 * sd:.1f} points (sd of 4 seeds); detecting 1.0 points takes " in sentence
    )
    (row,) = zip(*(c.cells for c in conclusions.table(summary, ROBUST.metric).columns), strict=True)
    assert row[:2] == ("published recipe", "4")
    assert len(row) == 3


def test_what_one_test_shows_but_several_do_not_is_not_called_noise():
    test = {0: 0.38 + SCATTER, 7: 0.40 + SCATTER[::-1] / 3, 3: 0.38 + SCATTER}
    summary = sum_up(outcomes(VAL, test))
    told = summary["finalists"][1]["test"]["test/robust_accuracy"]
    told |= {"p_holm": 0.07, "difference": 0.09}
    objective, floors = ROBUST, {"test/robust_accuracy": {"paired": 0.08}}
    sentence = conclusions.conclude(summary["finalists"], floors, objective)
    assert sentence.startswith(
        "no finalist differs significantly from the published recipe: trial 7"
    )
    assert "p = 0.07 after Holm's correction; 4 seeds detect single differences of 8.0" in sentence
