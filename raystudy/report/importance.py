"""Importance of the axes of the search, with confidence intervals."""

import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from raystudy.report.drawing import marks
from raystudy.report.drawing.plot import Plot
from raystudy.report.drawing.scales import Choices, Linear
from raystudy.report.section import Section, Table, slug
from raystudy.search.samplers import quiet
from raystudy.study.stored import StoredStudy

Kind = Literal["ped_anova", "fanova"]
RELIABLE = 50  # trials; PED-ANOVA looks at the best tenth, which should be 5 at least (its manual)
FEWEST = 10  # trials: of fewer the best tenth is a single one
CONFIDENCE = 0.95
# Resamples, and shuffles; one of fANOVA's forests takes 6 s for 1,000 trials.
DRAWS: dict[Kind, tuple[int, int]] = {"ped_anova": (50, 50), "fanova": (10, 10)}
Targets = NDArray[np.float64]
Rows = NDArray[np.int64]
Raw = dict[str, float]


@dataclass(frozen=True)
class Importance:
    """An axis' share of all importance.

    Parameters
    ----------
    path : str
    share : float
        Shares of all axes add up to 1.
    low, high : float
        Of the bootstrap over trials.
    above_chance : bool
        More than any axis has where the values are shuffled among the trials, but for one time in
        twenty.
    """

    path: str
    share: float
    low: float
    high: float
    above_chance: bool


def section(study: StoredStudy, kind: Kind = "ped_anova") -> Section | None:
    """Return importance per objective."""
    space, _ = study.composed
    trials = full_trials(study)
    if len(space.distributions) < 2 or len(trials) < FEWEST:
        return None
    by_metric = {
        objective.metric: assess(study, trials, number, kind)
        for number, objective in enumerate(study.spec.objectives)
    }
    resamples, shuffles = DRAWS[kind]
    few = f"Only {len(trials)} trials have a result" if len(trials) < RELIABLE else ""
    return Section(
        title="Importance",
        words=f"How much each axis of the search decides {_WHAT[kind]}, as a share of all axes; "
        f"whiskers are a {CONFIDENCE:.0%} bootstrap over trials. Pale bars are not "
        "significant: shuffling the values among the trials gives some axis as much.",
        figures={
            f"importance-{slug(metric)}": draw(by_metric[metric], metric) for metric in by_metric
        },
        tables=[_table(importances, metric) for metric, importances in by_metric.items()],
        warning=few and f"{few}, below {RELIABLE}: importance is only a hint.",
        source=f"Optuna's {_NAME[kind]} on complete, diverged and collapsed trials, the latter "
        f"two at the worst value; {resamples} resamples, {shuffles} shuffles, seed 0.",
    )


_NAME: Mapping[Kind, str] = {
    "ped_anova": "PedAnovaImportanceEvaluator",
    "fanova": "FanovaImportanceEvaluator(n_trees=16, seed=0)",
}
_WHAT: Mapping[Kind, str] = {
    "ped_anova": "whether a trial is among the best tenth (PED-ANOVA)",
    "fanova": "the objective's variance (fANOVA)",
}


def full_trials(study: StoredStudy) -> list[FrozenTrial]:
    """Return the trials with a result, as Optuna knows them."""
    space, _ = study.composed
    objectives = study.spec.objectives
    trials = []
    for trial in study.trials:
        summary = trial.summary
        if summary.state not in ("complete", "diverged", "collapsed"):
            continue
        result = summary.last if summary.state == "complete" else {}
        values = [result.get(o.metric, o.worst_value) for o in objectives]
        try:
            params = {path: trial.params[path] for path in space.distributions}
            trials.append(
                create_trial(params=params, distributions=dict(space.distributions), values=values)
            )
        except (KeyError, ValueError, TypeError):  # the search space has changed since
            continue
    with quiet():
        numbered = optuna.create_study(directions=["minimize"] * len(objectives))
    numbered.add_trials(trials)
    return numbered.get_trials(deepcopy=False)


def assess(
    study: StoredStudy, trials: Sequence[FrozenTrial], objective: int, kind: Kind
) -> list[Importance]:
    """Return the axes' importance for one of the objectives, the largest first."""
    sign = 1.0 if study.spec.objectives[objective].direction == "minimize" else -1.0
    values = np.array([sign * trial.values[objective] for trial in trials])
    evaluate = evaluation(trials, kind)
    every = np.arange(len(trials))
    raw = evaluate(every, values)
    resamples, shuffles = DRAWS[kind]
    rng = np.random.default_rng(0)
    again = [
        _shares(evaluate(rows, values))
        for rows in rng.integers(len(trials), size=(resamples, len(trials)))
    ]
    chance = [max(evaluate(every, rng.permutation(values)).values()) for _ in range(shuffles)]
    limit = float(np.quantile(chance, CONFIDENCE))
    tails = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    importances = []
    for path, share in _shares(raw).items():
        low, high = np.quantile([shares[path] for shares in again], tails)
        importances.append(Importance(path, share, float(low), float(high), raw[path] > limit))
    return sorted(importances, key=lambda one: -one.share)


def evaluation(trials: Sequence[FrozenTrial], kind: Kind) -> Callable[[Rows, Targets], Raw]:
    """Return what gives importance for some of the trials and values of all, small being good.

    Parameters
    ----------
    trials : sequence of FrozenTrial
        Of one study, from its first on.
    kind : {"ped_anova", "fanova"}
    """
    from optuna import importance  # which imports scikit-learn, 2 s

    evaluator = (
        importance.PedAnovaImportanceEvaluator()
        if kind == "ped_anova"
        else importance.FanovaImportanceEvaluator(n_trees=16, seed=0)
    )
    paths = list(trials[0].distributions)
    resample = _Resample()

    def evaluate(rows: Rows, values: Targets) -> Raw:
        resample.drawn = [trials[row] for row in rows]
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = evaluator.evaluate(resample, paths, target=_target(values))
        return {path: float(found[path]) for path in paths}

    return evaluate


def _target(values: Targets) -> Callable[[FrozenTrial], float]:
    return lambda trial: float(values[trial.number])


class _Resample(optuna.Study):
    """A study with trials more than once; adding them to one would take longer than evaluating."""

    def __init__(self) -> None:
        storage = InMemoryStorage()
        with quiet():  # optuna announces each study it makes
            storage.create_new_study([StudyDirection.MINIMIZE], "resample")
        super().__init__("resample", storage)
        self.drawn: list[FrozenTrial] = []

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self.drawn


def _shares(raw: Mapping[str, float]) -> dict[str, float]:
    total = sum(raw.values())
    if total <= 0:  # all trials are alike
        return dict.fromkeys(raw, 1 / len(raw))
    return {path: value / total for path, value in raw.items()}


def draw(importances: Sequence[Importance], metric: str) -> str:
    """Return bars with whiskers, the longest on top."""
    names = [one.path for one in importances]
    plot = Plot(
        Linear(0, 1.0),
        Choices(names[::-1]),
        x_label=f"share of the importance for {metric}",
        y_label="",
        height=46 + 26 * len(names),
    )
    for one in importances:
        plot.bar(one.path, one.share, marks.BLUE if one.above_chance else marks.PALE)
    for one in importances:
        plot.line([(one.low, one.path), (one.high, one.path)], marks.INK, width=1.4)
    return plot.svg(f"importance of {len(names)} axes for {metric}")


def _table(importances: Sequence[Importance], metric: str) -> Table:
    return Table(
        header=["axis", "share", "low", "high", "above chance"],
        rows=[
            [one.path, one.share, one.low, one.high, "yes" if one.above_chance else "no"]
            for one in importances
        ],
        caption=f"{metric} in numbers",
        folded=True,
    )
