"""A study as its sampler gets it: with constraints, failed trainings as infeasible points."""

import copy
from collections.abc import Container, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    TPESampler,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from raystudy.config.constraint import Constraint
from raystudy.trial.info import TrialSummary

AWARE = (TPESampler, GPSampler, NSGAIISampler, NSGAIIISampler, CmaEsSampler)
PREFIX = "constraints:"  # under which Optuna keeps constraints among a trial's system attributes
ENDS_WELL = "training ends well"
LARGE = 1000.0  # beyond any constraint on an accuracy; a Gaussian process standardises it


def constraint_attributes(
    summary: TrialSummary, constraints: Sequence[Constraint]
) -> dict[str, float]:
    """Return what Optuna shall know of a trial's constraints: above 0 one is violated.

    Of a trial that diverged or collapsed all are, and by far that its training ends well.
    """
    if summary.state == "complete":
        return {f"{PREFIX}{one}": one.excess(summary.metrics[one.metric]) for one in constraints}
    if summary.state in ("diverged", "collapsed"):
        worst = {f"{PREFIX}{one}": one.worst_excess for one in constraints}
        return worst | {f"{PREFIX}{ENDS_WELL}": LARGE}
    return {}


class StudyView(optuna.Study):
    """The study with its trials as the sampler shall see them.

    Parameters
    ----------
    study : optuna.Study
    trials : sequence of FrozenTrial
    """

    def __init__(self, study: optuna.Study, trials: Sequence[FrozenTrial]) -> None:
        self.__dict__ |= study.__dict__
        self._shown = trials

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        trials = [trial for trial in self._shown if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials


def study_view(sampler: BaseSampler, study: optuna.Study, trials: list[FrozenTrial]) -> StudyView:
    """Return the view of a study's `trials` that a sampler gets."""
    if isinstance(sampler, GPSampler) and any(_ended_badly(trial) for trial in trials):
        trials = [_ended_well(trial) for trial in trials]
    if isinstance(sampler, CmaEsSampler):
        trials = _by_value_alone(trials, study.direction)
    return StudyView(study, trials)


def sources(previous: Sequence[FrozenTrial], direction: StudyDirection) -> list[FrozenTrial]:
    """Return a previous study's trials as CMA-ES starts from them: by numeric axes and ranks."""
    ranked = _by_value_alone(list(previous), direction)
    return [_numeric(trial) for trial in ranked]


def _numeric(trial: FrozenTrial) -> FrozenTrial:
    axes = {
        path: axis
        for path, axis in trial.distributions.items()
        if not (isinstance(axis, CategoricalDistribution) or axis.single())
    }
    params = {path: value for path, value in trial.params.items() if path in axes}
    return _changed(trial, distributions=axes, params=params)


def _ended_badly(trial: FrozenTrial) -> bool:
    return f"{PREFIX}{ENDS_WELL}" in trial.system_attrs


def _ended_well(trial: FrozenTrial) -> FrozenTrial:
    """Give a trial the one constraint it lacks: a Gaussian process wants all of all trials."""
    if trial.state != TrialState.COMPLETE or _ended_badly(trial):
        return trial
    return _changed(trial, system_attrs={**trial.system_attrs, f"{PREFIX}{ENDS_WELL}": -LARGE})


def _by_value_alone(trials: list[FrozenTrial], direction: StudyDirection) -> list[FrozenTrial]:
    """Rank infeasible trials after all others, by their violation: CMA-ES uses ranks only."""
    sign = 1 if direction == StudyDirection.MAXIMIZE else -1
    values = [sign * trial.value for trial in trials if trial.value is not None]
    worst = min(values, default=0.0)
    return [
        _changed(trial, values=[sign * (worst - excess)]) if excess > 0 else trial
        for trial, excess in ((trial, _violation(trial.system_attrs)) for trial in trials)
    ]


def _violation(system_attrs: Mapping[str, Any]) -> float:
    excesses: list[float] = [value for key, value in system_attrs.items() if key.startswith(PREFIX)]
    return sum(value for value in excesses if value > 0)


def _changed(trial: FrozenTrial, **attributes: Any) -> FrozenTrial:
    changed = copy.copy(trial)
    for name, value in attributes.items():
        setattr(changed, name, value)
    return changed
