"""Optuna's samplers without memory: every trial gets a fresh one, seeded by its number."""

import importlib.util
import inspect
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from hydra.utils import get_class, instantiate
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from raystudy.errors import UserError
from raystudy.search import axes, points
from raystudy.search.grid import MAX_GRID, Grid
from raystudy.search.points import Params, Places
from raystudy.search.sampler_view import AWARE, sources, study_view

ATTEMPTS = 4  # draws before an untried configuration is taken from the grid (a GP's draw is slow)
SOURCES = 10  # trials that CMA-ES needs of a previous study: it starts from their best tenth


class Memoryless(BaseSampler):
    """A sampler built anew for every trial from the study's seed and the trial's number.

    A study that was interrupted therefore continues as if it had not been. A configuration that ran
    already is drawn again, and looked for by enumeration in the end.

    Parameters
    ----------
    recipe : mapping
        ``_target_`` and settings of an Optuna sampler.
    distributions : mapping of str to BaseDistribution
    seed : int
        The study's seed.
    allow_repeats : bool
        Whether a configuration that ran may be drawn again.

    """

    def __init__(
        self,
        recipe: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        seed: int,
        *,
        allow_repeats: bool = False,
    ) -> None:
        if seed < 0:
            raise UserError(f"study.seed must not be negative, got {seed}.")
        self._recipe = dict(recipe)
        self.distributions = distributions
        self.allow_repeats = allow_repeats
        self._prior: Sequence[FrozenTrial] = ()
        self._seed = seed
        self._own: set[Places] = set()  # places of the first `_noted` trials
        self._others: set[Places] = set()
        self._noted = 0

    def learn_from(self, prior: Sequence[FrozenTrial]) -> None:
        """Show the sampler trials of another study before its own."""
        self._prior = prior
        self._others = {points.places(self.distributions, other.params) for other in prior}

    def build(
        self,
        number: int,
        attempt: int = 0,
        direction: StudyDirection = StudyDirection.MAXIMIZE,
    ) -> BaseSampler | Grid:
        """Return the sampler of one trial."""
        mixed = int(np.random.SeedSequence([self._seed, number, attempt]).generate_state(1)[0])
        kind = get_class(self._recipe["_target_"])
        known = inspect.signature(kind).parameters
        # A sequence (QMC, grid) is one for the whole study; what draws gets a seed per trial.
        sequence = issubclass(kind, (QMCSampler, Grid))
        settings: dict[str, Any] = {}
        if "seed" in known:
            settings["seed"] = self._seed if sequence else mixed
        if "independent_sampler" in known:
            settings["independent_sampler"] = RandomSampler(seed=mixed)
        if "distributions" in known:
            settings["distributions"] = self.distributions
        if "source_trials" in known and len(self._prior) >= SOURCES:
            settings["source_trials"] = sources(self._prior, direction)
        if issubclass(kind, CmaEsSampler) and importlib.util.find_spec("cmaes") is None:
            raise UserError("sampler=cmaes needs the package cmaes: pip install cmaes.")
        return _made(kind, self._recipe, settings)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return dict(self.distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Params:
        trials = study.get_trials(deepcopy=False)
        self._note(trials, trial)
        for attempt in range(ATTEMPTS):
            sampler = self.build(trial.number, attempt, study.directions[0])
            if isinstance(sampler, Grid):
                return self._untried(sampler) or {}
            params = self._draw(sampler, study, trials, trial)
            place = points.places(self.distributions, params)
            if self.allow_repeats or not (place in self._own or place in self._others):
                return params
        sizes = [axes.count(axis) for axis in self.distributions.values()]
        if None in sizes or math.prod(size for size in sizes if size) > MAX_GRID:
            return params
        return self._untried(Grid(distributions=self.distributions, seed=self._seed)) or params

    def _untried(self, grid: Grid) -> Params | None:
        """Return what neither this study nor the prior one ran, or else only not this one."""
        return grid.untried(self._own | self._others) or grid.untried(self._own)

    def _note(self, trials: Sequence[FrozenTrial], asking: FrozenTrial) -> None:
        """Remember the configurations of the trials that were handed out since the last call."""
        for other in trials[self._noted :]:
            whole = other.params.keys() >= self.distributions.keys()
            if other.number == asking.number or not whole:
                break
            self._own.add(points.places(self.distributions, other.params))
            self._noted += 1

    def _draw(
        self,
        sampler: BaseSampler,
        study: optuna.Study,
        trials: Sequence[FrozenTrial],
        trial: FrozenTrial,
    ) -> Params:
        """Do what Optuna does with a sampler when a trial suggests all its parameters."""
        # A study's trials have the same axes: those samplers compare need one trial of each state.
        few = {one.state: one for one in trials}.values()
        seen = study_view(sampler, study, [*self._prior, *few])
        study = study_view(sampler, study, [*self._prior, *trials])
        sampler.before_trial(study, trial)
        joint = sampler.infer_relative_search_space(seen, trial)
        drawn = sampler.sample_relative(study, trial, joint)
        params: Params = {}
        for path, axis in self.distributions.items():
            if axis.single():
                params[path] = axes.at(axis, 0)
            elif path in drawn and axes.contains(axis, drawn[path]):
                params[path] = drawn[path]
            else:
                params[path] = sampler.sample_independent(study, trial, path, axis)
        return params

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        raise AssertionError(f"{param_name} is always drawn together with the others")


def check(sampler: Memoryless, num_objectives: int) -> None:
    """Refuse what the sampler could not do later.

    Raises
    ------
    UserError
        If a setting, an axis or the number of objectives does not fit the sampler.
    """
    with quiet():
        built = sampler.build(0)
    if isinstance(built, Grid) and sampler.allow_repeats:
        raise UserError("sampler=grid runs every configuration once; drop study.allow_repeats.")
    if not isinstance(built, CmaEsSampler):
        return
    if num_objectives > 1:
        raise UserError(
            f"sampler=cmaes has one objective, got {num_objectives}; use sampler=nsga2 or tpe."
        )
    numeric = [path for path, axis in sampler.distributions.items() if _is_numeric(axis)]
    if len(numeric) == 1:
        raise UserError(
            f"sampler=cmaes needs two numeric axes, got {numeric[0]} only; use sampler=tpe."
        )


def is_blind(recipe: Mapping[str, Any]) -> bool:
    """Return whether a sampler draws without a look at constraints, or at any result."""
    return not issubclass(get_class(recipe["_target_"]), AWARE)


def _is_numeric(axis: BaseDistribution) -> bool:
    return not isinstance(axis, CategoricalDistribution) and not axis.single()


def _made(kind: Any, recipe: Mapping[str, Any], settings: Mapping[str, Any]) -> BaseSampler | Grid:
    given = {name: value for name, value in recipe.items() if name != "_target_"}
    try:
        if any(isinstance(value, (dict, list)) for value in given.values()):
            given = instantiate(given, _convert_="all")  # 2 ms, every trial again
        sampler: BaseSampler | Grid = kind(**{**given, **settings})
    except Exception as error:  # of any sampler, and of any object that it is given
        raise UserError(f"sampler: {error.__cause__ or error}") from error
    return sampler


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's own messages and its warnings of experimental classes to itself.

    Its level stays: with every change of one, logging looks through all loggers of a process.
    """

    def is_error(record: logging.LogRecord) -> bool:  # one of its own: this may be nested
        return record.levelno >= logging.ERROR

    handlers = list(logging.getLogger("optuna").handlers)
    for handler in handlers:
        handler.addFilter(is_error)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_error)
