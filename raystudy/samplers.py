"""Optuna's samplers without memory: every trial gets a fresh one, seeded by its number."""

import importlib.util
import inspect
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler
from optuna.trial import FrozenTrial

from raystudy import axes
from raystudy.axes import Value
from raystudy.errors import UserError
from raystudy.seen import AWARE, seen_by

Params = dict[str, Any]
Places = tuple[Value, ...]  # of a configuration on the axes
ATTEMPTS = 4  # draws before an untried configuration is taken from the grid (a GP's draw is dear)
MAX_GRID = 100_000


class Grid:
    """Every configuration once, in an order shuffled by the seed.

    Optuna's own ``GridSampler`` runs points twice when several trials run at once, spends a point
    on the trial with given parameters, and raises after the last one.

    Parameters
    ----------
    distributions : mapping of str to BaseDistribution
        Discrete axes.
    seed : int
    """

    def __init__(self, *, distributions: Mapping[str, BaseDistribution], seed: int) -> None:
        for path, axis in distributions.items():
            if axes.count(axis) is None:
                raise UserError(
                    f"sampler=grid needs steps, but {path} is continuous "
                    f"({axes.describe(axis)}); write '{path}=choice(...)' or "
                    f"'{path}=range(low,high,step)'."
                )
        self._distributions = distributions
        self._sizes = [axes.count(axis) or 1 for axis in distributions.values()]
        if math.prod(self._sizes) > MAX_GRID:
            raise UserError(
                f"sampler=grid: {math.prod(self._sizes):,} configurations are more than "
                f"{MAX_GRID:,}; give larger steps or use sampler=qmc."
            )
        self._order = np.random.default_rng(seed).permutation(math.prod(self._sizes))

    def untried(self, tried: set[Places]) -> Params | None:
        """Return the first configuration that is not among `tried`."""
        for index in self._order:
            places = np.unravel_index(int(index), self._sizes) if self._sizes else ()
            if tuple(int(place) for place in places) not in tried:
                axes_and_places = zip(self._distributions.items(), places, strict=True)
                return {path: axes.at(axis, int(place)) for (path, axis), place in axes_and_places}
        return None


class Memoryless(BaseSampler):
    """A sampler built anew for every trial from the study's seed and the trial's number.

    A study that was interrupted therefore goes on as if it had not been. A configuration that ran
    already is drawn again, and looked for by enumeration in the end.

    Parameters
    ----------
    recipe : mapping
        ``_target_`` and settings of an Optuna sampler.
    distributions : mapping of str to BaseDistribution
    seed : int
        The study's seed.
    """

    def __init__(
        self, recipe: Mapping[str, Any], distributions: Mapping[str, BaseDistribution], seed: int
    ) -> None:
        if seed < 0:
            raise UserError(f"study.seed must not be negative, got {seed}.")
        self._recipe = dict(recipe)
        self.distributions = distributions
        self._seed = seed
        self._places: dict[int, Places] = {}  # of trials; parameters never change

    def build(self, number: int, attempt: int = 0) -> BaseSampler | Grid:
        """Return the sampler of one trial."""
        mixed = int(np.random.SeedSequence([self._seed, number, attempt]).generate_state(1)[0])
        kind = get_class(self._recipe["_target_"])
        known = inspect.signature(kind).parameters
        # A sequence (QMC, grid) is one for the whole study; what draws gets a seed per trial.
        sequence = issubclass(kind, (QMCSampler, Grid))
        settings: Params = {}
        if "seed" in known:
            settings["seed"] = self._seed if sequence else mixed
        if "independent_sampler" in known:
            settings["independent_sampler"] = RandomSampler(seed=mixed)
        if "distributions" in known:
            settings["distributions"] = self.distributions
        if issubclass(kind, CmaEsSampler) and importlib.util.find_spec("cmaes") is None:
            raise UserError("sampler=cmaes needs the package cmaes: pip install cmaes.")
        return _instantiate(self._recipe, settings)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return dict(self.distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Params:
        seen = self._tried(study, trial)
        for attempt in range(ATTEMPTS):
            sampler = self.build(trial.number, attempt)
            if isinstance(sampler, Grid):
                return sampler.untried(seen) or {}
            params = self._draw(sampler, study, trial)
            if self._place(params) not in seen:
                return params
        sizes = [axes.count(axis) for axis in self.distributions.values()]
        if None in sizes or math.prod(size for size in sizes if size) > MAX_GRID:
            return params
        return Grid(distributions=self.distributions, seed=self._seed).untried(seen) or params

    def _tried(self, study: optuna.Study, trial: FrozenTrial) -> set[Places]:
        """Return the configurations of all other trials."""
        for other in study.get_trials(deepcopy=False):
            if (
                other.number not in self._places
                and other.params.keys() >= self.distributions.keys()
            ):
                self._places[other.number] = self._place(other.params)
        return {place for number, place in self._places.items() if number != trial.number}

    def _place(self, params: Mapping[str, Any]) -> Places:
        """Return where on its axes a configuration lies."""
        return tuple(axes.place(axis, params[path]) for path, axis in self.distributions.items())

    def _draw(self, sampler: BaseSampler, study: optuna.Study, trial: FrozenTrial) -> Params:
        """Do what Optuna does with a sampler when a trial suggests all its parameters."""
        study = seen_by(sampler, study, study.get_trials(deepcopy=False))
        sampler.before_trial(study, trial)
        joint = sampler.infer_relative_search_space(study, trial)
        drawn = sampler.sample_relative(study, trial, joint)
        params: Params = {}
        for path, axis in self.distributions.items():
            if axis.single():
                params[path] = axes.at(axis, 0)
            elif path in drawn and axis._contains(axis.to_internal_repr(drawn[path])):
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


def _instantiate(recipe: Mapping[str, Any], settings: Params) -> BaseSampler | Grid:
    try:
        sampler: BaseSampler | Grid = instantiate(dict(recipe), **settings, _convert_="all")
    except InstantiationException as error:
        raise UserError(f"sampler: {error.__cause__ or error}") from error
    return sampler


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's own messages and its warnings of experimental classes to itself."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logger.setLevel(level)
