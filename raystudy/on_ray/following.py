"""A cluster's capacity for the length of a study."""

import contextlib
from collections.abc import Iterator

from raystudy import terminal
from raystudy.config.scaling import Scaling
from raystudy.on_ray import autoscaler
from raystudy.on_ray.capacity import Capacity
from raystudy.on_ray.demand import GroupsThatWait
from raystudy.on_ray.launches import launches
from raystudy.on_ray.resources import node_totals
from raystudy.storage import waiting
from raystudy.storage.folders import StudyFolder


@contextlib.contextmanager
def following(scaling: Scaling, folder: StudyFolder | None = None) -> Iterator[Capacity]:
    """Follow the nodes of the Ray that this process is connected to; at the end ask for none.

    Parameters
    ----------
    scaling : Scaling
    folder : StudyFolder, optional
        Of the study whose trials wait for nodes; Ray's own tasks ask for theirs.

    Raises
    ------
    UserError
        If a trial needs what the cluster can never hold.
    """
    capacity = Capacity(
        scaling,
        nodes=lambda: node_totals(scaling),
        autoscaler=autoscaler.find() if scaling.address else None,
        demand=GroupsThatWait(scaling) if folder else None,
        launches=launches,
        say=terminal.console(stderr=True).print,
        note=lambda one: waiting.keep(folder.waiting, one) if folder else None,
    )
    try:
        yield capacity
    finally:
        with contextlib.suppress(Exception):  # what was asked for ends with this process, too
            capacity.release()
