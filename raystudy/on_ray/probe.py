"""Ray's check of ``raystudy doctor``, in its own process."""

import json
import sys

import ray

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.on_ray.executor import RayExecutor


def probe(address: str | None, object_store_mb: int, dashboard: bool) -> None:
    """Reach a Ray, or start one as a study does, and print a line of JSON."""
    workers = 2 if dashboard else 1
    scaling = Scaling(address=address, object_store_mb=object_store_mb, num_workers=workers)
    try:
        with RayExecutor(scaling).connected():
            there = ray.cluster_resources()
            found = {
                "cpus": there.get("CPU", 0),
                "gpus": there.get("GPU", 0),
                "store": there.get("object_store_memory", 0),
                "dashboard": ray._private.worker.get_dashboard_url() or "",
            }
    except UserError as error:
        sys.exit(str(error))
    print(json.dumps(found))  # noqa: T201
