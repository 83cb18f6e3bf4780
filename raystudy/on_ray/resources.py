"""What a cluster's nodes hold, and how many trials that is."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray._private.state import state
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raystudy.config.scaling import Scaling

HEAD = "node:__internal_head__"  # a resource that only Ray's head node has
NODE_ID = "ray.io/node-id"  # a label that every node has

Resources = Mapping[str, float]


def head_node() -> dict[str, Any] | None:
    """Return what Ray knows of its head node."""
    heads = (node for node in ray.nodes() if node["Alive"] and HEAD in node["Resources"])
    return next(heads, None)


def own_node() -> NodeAffinitySchedulingStrategy:
    """Return the place for an actor that must not outlive the caller's node, nor go before it.

    Ray puts what takes no CPU on any node, be it about to go.
    """
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def node_totals(scaling: Scaling) -> list[Resources]:
    """Return the total resources of each node on which trials may start now."""
    leaving = state.get_draining_nodes()
    return [
        node["Resources"]
        for node in ray.nodes()
        if node["Alive"]
        and node["NodeID"] not in leaving
        and (scaling.head_takes_trials or HEAD not in node["Resources"])
    ]


def node_free() -> list[Resources]:
    """Return the free resources of each node."""
    return list(state.available_resources_per_node().values())


def selector(scaling: Scaling) -> dict[str, str]:
    """Return the labels of the nodes on which trials may run, as Ray selects them."""
    head = None if scaling.head_takes_trials else head_node()
    return {} if head is None else {NODE_ID: f"!{head['NodeID']}"}


def trials_that_fit(scaling: Scaling, nodes: Sequence[Resources]) -> int:
    """Return how many trials run at a time on these nodes.

    Only workers count: a trial of several workers has a driver besides, which takes memory and
    no CPU, so that drivers never keep each other's workers out.
    """
    workers = sum(workers_on(node, scaling.worker) for node in nodes)
    return workers // scaling.num_workers


def workers_on(node: Resources, worker: Resources) -> int:
    """Return how many workers a node holds."""
    # The addend forgives rounding: 1 GPU holds ten workers of 0.1.
    return min(math.floor(node.get(name, 0) / need + 1e-6) for name, need in worker.items())


def words(resources: Resources) -> str:
    """Return what trials use of resources, for a sentence."""
    return f"{resources.get('CPU', 0):g} CPU and {resources.get('GPU', 0):g} GPU"
