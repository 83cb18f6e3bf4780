"""Asynchronous successive halving by several measures at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raystudy.search.rungs import epoch_of

Points = NDArray[np.float64]  # (N, M): what N trials are worth by M measures, all minimised


@dataclass(frozen=True, kw_only=True)
class ParetoHalving:
    """At 1x, 3x, 9x ... `min_resource` epochs, let the best third of the trials continue [1]_.

    Trials are ordered by their front, and within a front so that the first few cover all of it. By
    a single measure this is Optuna's ``SuccessiveHalvingPruner``. A trial is judged once per rung
    against those that came there before it; of however few, as many of the first front continue as
    there are measures: the best by one of them shall not end all others.

    Parameters
    ----------
    min_resource : int
        Epochs before the first comparison.
    reduction_factor : int
        Keep the best 1/reduction_factor.

    References
    ----------
    .. [1] Schmucker et al. 2021, "Multi-objective Asynchronous Successive Halving",
       arXiv:2106.12639, Sec. 3.2: non-dominated sorting, ties by an epsilon-net.
    """

    min_resource: int
    reduction_factor: int = 3

    def __post_init__(self) -> None:
        if self.min_resource < 1:
            raise ValueError(f"min_resource must be at least 1, got {self.min_resource}.")
        if self.reduction_factor < 2:
            raise ValueError(f"reduction_factor must be at least 2, got {self.reduction_factor}.")

    def epoch(self, rung: int) -> int:
        """Return the epoch of a rung, counted from 0."""
        return epoch_of(rung, self.min_resource, self.reduction_factor)

    def goes_on(self, own: list[float], others: list[list[float]]) -> bool:
        """Return whether a trial is among the best of a rung.

        Parameters
        ----------
        own : list of M floats
            What it is worth at that rung, all minimised.
        others : list of list of M floats
            What the trials are worth that came there before.
        """
        points = np.array([own, *others], dtype=np.float64)
        places, before = max(1, len(points) // self.reduction_factor), 0
        distinct, index, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
        mine, left = index.reshape(-1)[0], np.arange(len(distinct))
        while mine not in left[best := _unbeaten(distinct[left])]:
            before += counts[left[best]].sum()
            left = left[~best]
            if before >= places:
                return False
        if not before:
            places = max(places, int((points.max(axis=0) > points.min(axis=0)).sum()))
        rivals = np.repeat(left[best], counts[left[best]])
        ahead = farthest_first(distinct[rivals])[: places - before]
        return bool((rivals[ahead] == mine).any())


def front(points: Points) -> NDArray[np.bool_]:
    """Return which points no other dominates: not larger anywhere and smaller somewhere.

    Parameters
    ----------
    points : array, shape (N, M)
    """
    distinct, index = np.unique(points, axis=0, return_inverse=True)
    chosen: NDArray[np.bool_] = _unbeaten(distinct)[index.reshape(-1)]
    return chosen


def _unbeaten(distinct: Points) -> NDArray[np.bool_]:
    """Return the front of points that differ and are in lexicographic order.

    What dominates a point stands before it. By two measures the front is where the second falls.
    """
    chosen = np.zeros(len(distinct), dtype=bool)
    if distinct.shape[1] == 2:
        lowest = np.minimum.accumulate(distinct[:, 1])
        chosen[0], chosen[1:] = True, distinct[1:, 1] < lowest[:-1]
        return chosen
    left = np.arange(len(distinct))
    while len(left):
        chosen[left[0]] = True
        left = left[(distinct[left] < distinct[left[0]]).any(axis=1)]
    return chosen


def farthest_first(points: Points) -> list[int]:
    """Return the points' order in which the first few are as far from each other as can be.

    The best by the first measure, then always the one farthest from those before it, each measure
    scaled to its range.
    """
    extent = points.max(axis=0) - points.min(axis=0)
    scaled = (points - points.min(axis=0)) / np.where(extent > 0, extent, 1.0)
    order = [int(np.lexsort(points.T[::-1])[0])]
    distance = np.full(len(points), np.inf)
    while len(order) < len(points):
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[order[-1]], axis=1))
        distance[order] = -1.0  # those that equal one before it come last
        order.append(int(distance.argmax()))
    return order
