"""Ask a cluster's autoscaler for nodes."""

from typing import Any

import ray
from ray.util.placement_group import (
    placement_group,
    placement_group_table,
    remove_placement_group,
)

from raystudy.config.scaling import Scaling
from raystudy.on_ray.resources import selector

WAITING = ("PENDING", "RESCHEDULING")


class GroupsThatWait:
    """Placement groups that wait for nodes: what an autoscaler of either version acts on.

    Not ``ray.autoscaler.sdk.request_resources``: that is one request for the whole cluster, which
    studies would take from each other, and it outlives a driver that is killed, so that nodes
    would run, and cost, until somebody noticed. These groups end with their driver.

    Parameters
    ----------
    scaling : Scaling
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._groups: list[Any] = []

    def ask(self, trials: int) -> None:
        """Have as many trials' worth of nodes asked for, besides those there are.

        A group that found room would keep a trial from it, and is taken back.
        """
        self._withdraw([group for group in self._groups if self._is_placed(group)])
        self._withdraw(self._groups[trials:])
        for _ in range(trials - len(self._groups)):
            self._groups.append(self._group())

    def is_unmet(self) -> bool:
        """Return whether a trial that was handed out finds no room.

        It waits by a group of its own; an id ends in its job's.
        """
        job, ours = (
            ray.get_runtime_context().get_job_id(),
            {group.id.hex() for group in self._groups},
        )
        return any(
            key.endswith(job) and key not in ours and group["state"] in WAITING
            for key, group in placement_group_table().items()
        )

    def _group(self) -> Any:
        bundles = [dict(self._scaling.worker) for _ in range(self._scaling.num_workers)]
        labels = selector(self._scaling)
        return placement_group(
            bundles, bundle_label_selector=[labels] * len(bundles) if labels else None
        )

    def _is_placed(self, group: Any) -> bool:
        return bool(placement_group_table(group).get("state") == "CREATED")

    def _withdraw(self, groups: list[Any]) -> None:
        for group in groups:
            remove_placement_group(group)
            self._groups.remove(group)
