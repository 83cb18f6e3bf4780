"""How many trials a cluster holds, and whether it can ever hold one."""

import math
from collections.abc import Mapping, Sequence

import ray
from ray._private.state import state

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError

Resources = Mapping[str, float]


def node_totals() -> list[Resources]:
    """Return the total resources of each living node."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def node_free() -> list[Resources]:
    """Return the free resources of each node."""
    return list(state.available_resources_per_node().values())


def growth_limit() -> Resources | None:
    """Return what the autoscaler may grow the cluster to; None without one."""
    limits: Resources | None = state.get_max_resources_from_cluster_config()
    return limits


def trials_that_fit(scaling: Scaling, nodes: Sequence[Resources]) -> int:
    """Return how many trials run at a time on these nodes.

    Only workers count: a trial of several workers has a driver besides, which takes memory and
    no CPU, so that drivers never keep each other's workers out.
    """
    workers = sum(_workers_on(node, scaling.worker) for node in nodes)
    return workers // scaling.num_workers


def concurrency(scaling: Scaling, nodes: Sequence[Resources], limit: Resources | None) -> int:
    """Return how many trials to run at a time.

    Parameters
    ----------
    scaling : Scaling
    nodes : sequence of mapping
        Totals of each node.
    limit : mapping, optional
        What an autoscaler may grow the cluster to.

    Raises
    ------
    UserError
        If no trial ever fits.
    """
    now = trials_that_fit(scaling, nodes)
    later = trials_that_fit(scaling, [limit]) if limit is not None else 0
    fit = max(now, later)
    if fit == 0:
        raise UserError(_never_fits(scaling, nodes, limit))
    return min(fit, scaling.max_concurrent or fit)


def _workers_on(node: Resources, worker: Resources) -> int:
    # The addend forgives rounding: 1 GPU holds ten workers of 0.1.
    return min(math.floor(node.get(name, 0) / need + 1e-6) for name, need in worker.items())


def _never_fits(scaling: Scaling, nodes: Sequence[Resources], limit: Resources | None) -> str:
    there = " + ".join(_words(node) for node in nodes) or "nothing"
    grown = "" if limit is None else f", and its autoscaler stops at {_words(limit)}"
    if scaling.use_gpu and not any(node.get("GPU") for node in [*nodes, limit or {}]):
        advice = "set scaling.use_gpu=false"
    else:
        advice = "lower scaling.num_workers, scaling.cpus_per_worker or scaling.gpus_per_worker"
    whose = "the cluster" if scaling.address else "this machine"
    return (
        f"scaling: a trial needs {scaling.words}, which {whose} can never hold: it has "
        f"{there}{grown}; {advice}."
    )


def _words(resources: Resources) -> str:
    return f"{resources.get('CPU', 0):g} CPU and {resources.get('GPU', 0):g} GPU"
