"""Several networks measured at once, on Ray."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import ray

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.devices import use_devices
from raystudy.on_ray.following import following
from raystudy.on_ray.resources import own_node, selector
from raystudy.on_ray.worker_group import worker_group
from trainables.suite.step import Step

POLL_EVERY_S = 0.3
Record = dict[str, Any]
Order = TypeVar("Order")  # what to measure: pickled, and given to `measure` as it is
OnStep = Callable[[Step], bool]


def measure_on_ray(
    orders: Sequence[Order],
    measure: Callable[[Order, OnStep], Record | None],
    on_step: Callable[[Order, Step], bool],
    scaling: Scaling,
    *,
    storage: Path | None = None,
) -> list[Record] | None:
    """Return a record for each order; None if interrupted, with everything kept on disk.

    Parameters
    ----------
    orders : sequence
        One network each.
    measure : callable (order, on_step) -> record or None
        Runs in a process of its own; None if `on_step` interrupted it.
    on_step : callable (order, Step) -> bool
        Called after every step; False interrupts.
    scaling : Scaling
        What each process may use.
    storage : Path, optional
        A folder that all nodes see: each network is measured by all ``scaling.num_workers``
        processes together. Without it one process measures a network.

    Raises
    ------
    UserError
        If that is more than the cluster can ever hold.
    """
    if storage is None:
        scaling = dataclasses.replace(scaling, num_workers=1)
    with connected(scaling), following(scaling) as capacity:
        board: Any = ray.remote(num_cpus=0, scheduling_strategy=own_node())(_Board).remote()
        if scaling.num_workers > 1:
            task = ray.remote(num_cpus=0, scheduling_strategy=own_node())(_measure_together)
        else:
            task = ray.remote(
                num_cpus=scaling.cpus_per_worker,
                num_gpus=_gpus(scaling),
                label_selector=selector(scaling),
            )(_measure)
        pending = {
            task.remote(measure, order, board, place, scaling, storage): place
            for place, order in enumerate(orders)
        }
        records: dict[int, Record | None] = {}
        while pending:
            capacity.refresh(len(pending), 0)
            ended, _ = ray.wait(list(pending), timeout=POLL_EVERY_S)
            for place, step in ray.get(board.news.remote()):
                if not on_step(orders[place], step):
                    board.stop.remote()
            for one in ended:
                records[pending.pop(one)] = _result(one)
    if any(record is None for record in records.values()):
        return None
    return [record for _, record in sorted(records.items()) if record is not None]


def _gpus(scaling: Scaling) -> float:
    return scaling.gpus_per_worker if scaling.use_gpu else 0


def _result(task: Any) -> Record | None:
    try:
        record: Record | None = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    return record


def _measure(
    measure: Callable[[Order, OnStep], Record | None],
    order: Order,
    board: Any,
    place: int,
    scaling: Scaling,
    _storage: Path | None,
) -> Record | None:
    use_devices(scaling)
    return measure(order, lambda step: bool(ray.get(board.report.remote(place, step))))


def _measure_together(
    measure: Callable[[Order, OnStep], Record | None],
    order: Order,
    board: Any,
    place: int,
    scaling: Scaling,
    storage: Path,
) -> Record | None:
    """Have several ranks measure a network; what all of them refuse is refused once."""

    def work() -> tuple[Record | None, str]:
        from trainables import distributed

        def on_step(step: Step) -> bool:
            first = distributed.rank() == 0
            goes_on = bool(ray.get(board.report.remote(place, step))) if first else True
            return all(distributed.gather_objects([goes_on]))

        use_devices(scaling)
        try:
            return measure(order, on_step), ""
        except UserError as error:
            return None, str(error)

    with tempfile.TemporaryDirectory(prefix=".ranks-", dir=storage) as folder:
        group = worker_group(work, scaling, "ranks", Path(folder))
        record: Record | None
        record, refused = group.fit().return_value
    if refused:
        raise UserError(refused)
    return record


class _Board:
    """Where the networks' processes report each step, and learn that they shall stop."""

    def __init__(self) -> None:
        self._news: list[tuple[int, Step]] = []
        self._running = True

    def report(self, place: int, step: Step) -> bool:
        self._news.append((place, step))
        return self._running

    def news(self) -> list[tuple[int, Step]]:
        news, self._news = self._news, []
        return news

    def stop(self) -> None:
        self._running = False
