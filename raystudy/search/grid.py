"""Every configuration of a discrete space, once."""

import math
from collections.abc import Mapping

import numpy as np
from optuna.distributions import BaseDistribution

from raystudy.errors import UserError
from raystudy.search import axes
from raystudy.search.points import Params, Places

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
