"""`study.warm_start`: which trials of a prior study fit a new one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from raystudy.config import compose as config
from raystudy.config import constraint, override, recipe, scopes
from raystudy.config.output_dir import folder_of
from raystudy.config.spec import StudySpec
from raystudy.errors import UserError
from raystudy.search import axes, pareto
from raystudy.search.axes import Value
from raystudy.search.halving import farthest_first
from raystudy.search.points import Params, distinct
from raystudy.search.search_space import SearchSpace
from raystudy.study import confirmed
from raystudy.study.info import StudyInfo
from raystudy.study.prior import Prior, PriorTrial
from raystudy.study.stored import StoredStudy, StoredTrial
from raystudy.trial.info import TrialSummary

if TYPE_CHECKING:  # torch takes its time
    from trainables.data.image_set import Splits

MAX_FINALISTS = 3  # of a front
TAKEN = ("complete", "diverged", "collapsed")
_MISSING = object()


def taken_over(info: StudyInfo, space: SearchSpace) -> Prior:
    """Return what the warm start of a new study takes over.

    Raises
    ------
    UserError
        As by `gather`.
    """
    settings = config.load(info.name, space.overrides, info.search_path)
    return gather(space, settings, info.spec)


def check(settings: DictConfig, spec: StudySpec, splits: "Splits") -> None:
    """Refuse a prior study of another kind before the search space is composed.

    Its YAML must say what it said then, and its images must be those of the new study.

    Raises
    ------
    UserError
        If there is no such study, or it is of other data, other objectives or another method.
    """
    if spec.warm_start is None:
        return
    from raystudy.trial import images  # which imports torch

    prior = _opened(settings, spec)
    space, theirs = prior.composed
    recipe.refuse_another(prior.id, prior.manifest.recipe, theirs, space.distributions)
    images.refuse_others(prior.folder, prior.manifest, settings, splits)


def gather(space: SearchSpace, settings: DictConfig, spec: StudySpec) -> Prior:
    """Return what `study.warm_start` takes over.

    Parameters
    ----------
    space : SearchSpace
    settings : DictConfig
        Of the new study.
    spec : StudySpec

    Raises
    ------
    UserError
        If there is no such study, it is of another sort, or none of its trials fits.
    """
    prior = _opened(settings, spec)
    before = _Before(prior)
    changed = before.changes(space, settings)
    fitting = [
        (trial, params)
        for trial in prior.trials
        if trial.summary.state in TAKEN
        and (params := before.on(space, trial, settings)) is not None
    ]
    known = [(trial, params) for trial, params in fitting if _is_measured(trial.summary, spec)]
    finalists = distinct(
        _confirmed(prior, known, spec) or _finalists(known, spec), space.distributions
    )
    if not finalists:
        raise UserError(
            f"study.warm_start: none of the {len(prior.trials)} trials of {prior.id} is "
            f"complete and fits this search space; widen it, or drop study.warm_start."
        )
    taken = [_taken(trial.summary, params, spec) for trial, params in known]
    note = _note(len(prior.ended) - len(known), changed)
    return Prior(prior.id, [] if changed else taken, finalists, note)


class _Before:
    """The prior study's space and settings."""

    def __init__(self, prior: StoredStudy) -> None:
        self._space, self._settings = prior.composed

    def changes(self, space: SearchSpace, settings: DictConfig) -> list[str]:
        """Return the settings that no axis of either study explains and that differ."""
        paths = {*space.distributions, *self._space.distributions}
        ours, theirs = _written(settings), _written(self._settings)
        differing = [
            path
            for path in sorted(ours.keys() | theirs.keys())
            if ours.get(path, _MISSING) != theirs.get(path, _MISSING)
        ]
        return [
            path
            for path in differing
            if not any(path == axis or path.startswith(f"{axis}.") for axis in paths)
        ]

    def on(self, space: SearchSpace, trial: StoredTrial, settings: DictConfig) -> Params | None:
        """Return a trial's configuration on the axes of another space; None if it has no place."""
        params: Params = {}
        for path, axis in space.distributions.items():
            try:
                params[path] = axes.fitted(axis, self._value(path, trial))
            except (ValueError, TypeError):
                return None
        for path in self._space.distributions.keys() - space.distributions.keys():
            if _setting(path, space, settings) != trial.params[path]:
                return None
        return params

    def _value(self, path: str, trial: StoredTrial) -> Any:
        if path in trial.params:
            return trial.params[path]
        return _setting(path, self._space, self._settings)


def _setting(path: str, space: SearchSpace, settings: DictConfig) -> Any:
    """Return what a study that does not search `path` has there."""
    if path in space.choices:
        return space.choices[path]
    return OmegaConf.select(settings, path, default=_MISSING)


def _written(config: DictConfig) -> dict[str, Any]:
    """Return every setting as it is written: what refers to another changes with that one only."""
    sections = OmegaConf.to_container(config, resolve=False)
    assert isinstance(sections, dict)
    leaves = dict(_leaves(sections, ""))
    return {path: leaves[path] for path in scopes.select(leaves, scopes.CONFIGURATION)}


def _leaves(section: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _opened(settings: DictConfig, spec: StudySpec) -> StoredStudy:
    """Open the prior study if it is of the same kind."""
    assert spec.warm_start is not None
    prior = StoredStudy.open(folder_of(settings), spec.warm_start)
    if prior.manifest.kind != "sweep":
        raise UserError(
            f"study.warm_start: {prior.id} is no sweep but of the kind "
            f"{prior.manifest.kind}; name a sweep."
        )
    _, theirs = prior.composed
    _refuse_difference(prior.id, "studies", str(theirs.study.name), str(settings.study.name))
    _refuse_difference(prior.id, "has the data", str(theirs.data.name), str(settings.data.name))
    _refuse_difference(prior.id, "is to", _aims(prior.spec), _aims(spec))
    before, now = _written(theirs), _written(settings)
    for path in sorted(before.keys() | now.keys()):
        if override.node_of(path) == "data":
            values = [axes.shown(some.get(path)) for some in (before, now)]
            _refuse_difference(prior.id, f"has {path}", *values)
    return prior


def _refuse_difference(study: str, what: str, theirs: str, ours: str) -> None:
    if theirs != ours:
        raise UserError(
            f"study.warm_start: {study} {what} {theirs}, this study {ours}; their values do not "
            f"compare."
        )


def _aims(spec: StudySpec) -> str:
    return " and ".join(f"{one.direction} {one.metric}" for one in spec.objectives)


def _is_measured(summary: TrialSummary, spec: StudySpec) -> bool:
    return summary.state != "complete" or all(m in summary.metrics for m in spec.metrics)


def _taken(summary: TrialSummary, params: Params, spec: StudySpec) -> PriorTrial:
    judged = {m: summary.metrics[m] for m in spec.metrics} if summary.state == "complete" else {}
    return PriorTrial(summary.number, summary.state, params, judged)


def _confirmed(
    prior: StoredStudy, known: list[tuple[StoredTrial, Params]], spec: StudySpec
) -> list[Params]:
    """Return the finalists of the prior study's race on fresh seeds, the winner first."""
    race = confirmed.read_race(prior.folder.path)
    stayed = confirmed.ranked(race, spec.objectives[0]) if race else []
    params = {trial.summary.number: one for trial, one in known}
    return [params[number] for number in stayed if number in params][:MAX_FINALISTS]


def _finalists(
    known: list[tuple[StoredTrial, Params]], spec: StudySpec
) -> Iterator[Mapping[str, Value]]:
    """Yield the best configurations: the first is best, the others are far apart on the front."""
    judged = {
        trial.summary.number: replace(
            trial.summary,
            violation=constraint.violation(spec.constraints, trial.summary.metrics),
        )
        for trial, _ in known
        if trial.summary.state == "complete"
    }
    params = {trial.summary.number: one for trial, one in known}
    front = pareto.front(judged.values(), spec.objectives)
    if len(spec.objectives) == 1:
        yield from (params[one.number] for one in front[:1])
    elif front:
        signs = [-1 if o.direction == "maximize" else 1 for o in spec.objectives]
        values = [[one.last[o.metric] for o in spec.objectives] for one in front]
        order = farthest_first(np.array(values) * signs)
        yield from (params[front[index].number] for index in order[:MAX_FINALISTS])


def _note(left_out: int, changed: list[str]) -> str:
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        return f"no values are taken over, for {changed[0]}{more} changed"
    return f"{left_out} do not fit or did not complete" if left_out else ""
