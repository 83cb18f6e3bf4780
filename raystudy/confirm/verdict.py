"""The results of a race: the content of ``confirm.json``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from raystudy.config.spec import RECIPE, Objective, as_test, maximised
from raystudy.confirm.conclusions import conclude
from raystudy.confirm.race import Departure, Point
from raystudy.confirm.race_sampler import BAD_ENDINGS
from raystudy.confirm.statistics import (
    CONFIDENCE,
    MAX_EXACT,
    holm,
    noise_floor,
    paired_t,
    sign_flip,
)
from raystudy.storage.plans import ConfirmPlan
from raystudy.study import uncertainty
from raystudy.trial.info import TrialSummary
from trainables.evaluate.intervals import over_seeds

Entry = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """All that was measured.

    Parameters
    ----------
    plan : ConfirmPlan
    objectives : sequence of Objective
    runs : mapping of Point to TrialSummary
        With validation measures.
    tests : mapping of Point to mapping of str to float
        Test measures of those that were read.
    departures : mapping of int to Departure
    over : str
        Why the race ended.
    """

    plan: ConfirmPlan
    objectives: Sequence[Objective]
    runs: Mapping[Point, TrialSummary]
    tests: Mapping[Point, Mapping[str, float]]
    departures: Mapping[int, Departure]
    over: str

    def on_val(self, number: int, objective: Objective) -> dict[int, float]:
        """Return an objective by seed; a run that diverged or collapsed gets the worst value."""
        found = {}
        for seed in self.plan.seeds:
            run = self.runs.get((number, seed))
            if run is not None and run.state == "complete":
                found[seed] = run.last[objective.metric]
            elif run is not None and run.state in BAD_ENDINGS:
                found[seed] = objective.worst_value
        return found

    def on_test(self, number: int, metric: str) -> dict[int, float]:
        """Return a test measure by seed."""
        worst = {as_test(o.metric): o.worst_value for o in self.objectives}
        found = {}
        for seed in self.plan.seeds:
            run, there = self.runs.get((number, seed)), self.tests.get((number, seed), {})
            if metric in there:
                found[seed] = there[metric]
            elif metric in worst and number == RECIPE and run and run.state in BAD_ENDINGS:
                found[seed] = worst[metric]
        return found

    @property
    def test_metrics(self) -> list[str]:
        """Every measure of the test split."""
        return list(dict.fromkeys(name for entry in self.tests.values() for name in entry))


def sum_up(outcomes: Outcomes) -> dict[str, Any]:
    """Return the content of ``confirm.json``."""
    first = outcomes.objectives[0]
    entries = [_entry(outcomes, number, first) for number in outcomes.plan.params]
    judged = [as_test(objective.metric) for objective in outcomes.objectives]
    others = [metric for metric in outcomes.test_metrics if metric not in judged]
    for metric in (*judged, *others):
        _test(outcomes, entries, metric)
    for family in (judged, *([metric] for metric in others)):
        _correct(entries, family)
    main = as_test(first.metric)
    for entry in entries:
        test = entry["test"].get(main, {})
        entry["p_value"], entry["p_holm"] = test.get("p_value"), test.get("p_holm")
    area = _front(outcomes, entries)
    floors = {
        metric: floor
        for metric in [*(objective.metric for objective in outcomes.objectives), *judged]
        if (floor := _floor(outcomes, metric)) is not None
    }
    return {
        "metric": first.metric,
        "confidence": CONFIDENCE,
        "study": outcomes.plan.study,
        "seeds": list(outcomes.plan.seeds),
        "rounds": max((len(entry["seeds"]) for entry in entries), default=0),
        "ended": outcomes.over,
        "weights": "last epoch",
        "finalists": entries,
        "hypervolume": area,
        "noise_floor": floors.get(main, floors.get(first.metric)),
        "noise_floors": floors,
        "conclusion": [conclude(entries, floors, objective) for objective in outcomes.objectives],
    }


def _entry(outcomes: Outcomes, number: int, objective: Objective) -> Entry:
    values = outcomes.on_val(number, objective)
    left = outcomes.departures.get(number)
    return {
        "trial": number,
        "label": "published recipe" if number == RECIPE else f"trial {number}",
        "params": dict(outcomes.plan.params[number]),
        "seeds": list(values),
        "values": list(values.values()),
        **_interval(list(values.values())),
        "objectives": {
            o.metric: {"values": found, **_interval(found)}
            for o in outcomes.objectives
            for found in [list(outcomes.on_val(number, o).values())]
        },
        "states": [run.state for (who, _), run in sorted(outcomes.runs.items()) if who == number],
        "left": asdict(left) if left else None,
        "p_value": None,
        "p_holm": None,
        "front_chance": None,
        "test": {},
    }


def _front(outcomes: Outcomes, entries: Sequence[Entry]) -> dict[str, float] | None:
    """Add the probability of being on the true front to those that ran on all seeds.

    Return the front's hypervolume on validation images; None where it is undefined.
    """
    rounds = max(len(entry["seeds"]) for entry in entries)
    whole = [entry for entry in entries if len(entry["seeds"]) == rounds]
    if len(outcomes.objectives) < 2 or rounds < 2:
        return None
    values = np.array(
        [
            [maximised(o, v) for v in entry["objectives"][o.metric]["values"]]
            for o in outcomes.objectives
            for entry in whole
        ]
    ).reshape(len(outcomes.objectives), len(whole), rounds)
    chances, area = uncertainty.over_seeds(values.transpose(2, 1, 0))
    for entry, chance in zip(whole, chances, strict=True):
        entry["front_chance"] = chance
    larger = all(objective.direction == "maximize" for objective in outcomes.objectives)
    return area._asdict() if area and larger else None


def _interval(values: Sequence[float]) -> dict[str, float | None]:
    """Return mean and interval; one seed has neither, for it is no result."""
    if len(values) < 2:
        return {"mean": None, "low": None, "high": None}
    interval = over_seeds(values, confidence=CONFIDENCE)
    return {"mean": interval.value, "low": interval.low, "high": interval.high}


def _test(outcomes: Outcomes, entries: Sequence[Entry], metric: str) -> None:
    """Add a test measure, and its paired test against the recipe, to all that were read."""
    recipe = outcomes.on_test(RECIPE, metric)
    for entry in entries:
        values = outcomes.on_test(entry["trial"], metric)
        if not values:
            continue
        measured = list(values.values())
        entry["test"][metric] = {"seeds": list(values), "values": measured, **_interval(measured)}
        seeds = [seed for seed in values if seed in recipe]
        if entry["trial"] != RECIPE and len(seeds) > 1:
            ours, theirs = [values[seed] for seed in seeds], [recipe[seed] for seed in seeds]
            entry["test"][metric] |= _difference(ours, theirs)


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float | None]:
    test = paired_t(ours, theirs)
    return {
        "difference": test.difference,
        "difference_low": test.low,
        "difference_high": test.high,
        "p_value": test.p_value,
        "p_sign_flip": sign_flip(ours, theirs) if len(ours) <= MAX_EXACT else None,
    }


def _correct(entries: Sequence[Entry], metrics: Sequence[str]) -> None:
    """Add Holm's p-values to all tests of these measures together."""
    tests = [
        entry["test"][metric]
        for metric in metrics
        for entry in entries
        if "p_value" in entry["test"].get(metric, {})
    ]
    for test, adjusted in zip(tests, holm([test["p_value"] for test in tests]), strict=True):
        test["p_holm"] = adjusted


def _floor(outcomes: Outcomes, metric: str) -> dict[str, Any] | None:
    """Return the noise floor from the recipe's seeds."""
    searched = {objective.metric: objective for objective in outcomes.objectives}

    def read(number: int) -> dict[int, float]:
        if metric in searched:
            return outcomes.on_val(number, searched[metric])
        return outcomes.on_test(number, metric)

    recipe = read(RECIPE)
    if len(recipe) < 2:
        return None
    others = [read(number) for number in outcomes.plan.params if number != RECIPE]
    whole = [[o[seed] for seed in recipe] for o in others if o.keys() >= recipe.keys()]
    return {"metric": metric, **noise_floor(list(recipe.values()), whole)._asdict()}
