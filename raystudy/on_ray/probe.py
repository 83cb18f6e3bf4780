"""Ray's check of ``raystudy doctor``, in its own process."""

import json
import sys

import ray

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.on_ray import autoscaler
from raystudy.on_ray.capacity import most_at_a_time
from raystudy.on_ray.executor import RayExecutor
from raystudy.on_ray.resources import node_totals, trials_that_fit


def probe(settings: str) -> None:
    """Reach a Ray, or start one as a study does, and print a line of JSON.

    Parameters
    ----------
    settings : str
        The ``scaling:`` section, as JSON.
    """
    scaling = Scaling(**json.loads(settings))
    try:
        with RayExecutor(scaling).connected():
            there, nodes = ray.cluster_resources(), node_totals(scaling)
            growth = autoscaler.find() if scaling.address else None
            found = {
                "cpus": there.get("CPU", 0),
                "gpus": there.get("GPU", 0),
                "store": there.get("object_store_memory", 0),
                "grows_to": str(growth or ""),
                "trials": trials_that_fit(scaling, nodes),
                "dashboard": ray._private.worker.get_dashboard_url() or "",
            }
            try:
                found["most"] = most_at_a_time(scaling, nodes, growth)
            except UserError as error:
                found["never"] = str(error)
    except UserError as error:
        sys.exit(str(error))
    print(json.dumps(found))  # noqa: T201
