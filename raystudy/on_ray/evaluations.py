"""Several networks measured at once, spread over Ray."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import ray

from raystudy.config.scaling import Scaling
from raystudy.evaluation.runner import Order, measure
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.devices import use_devices
from raystudy.study.plan.check import read_scaling
from trainables.evaluate.suite import Step

LOOK_EVERY_S = 0.3


def measure_on_ray(
    orders: Sequence[Order], told: Callable[[Order, Step], bool]
) -> list[dict[str, Any]] | None:
    """Return a record for each order; None if interrupted, with everything kept on disk.

    Parameters
    ----------
    orders : sequence of Order
    told : callable (Order, Step) -> bool
        Hears of every step; False interrupts.
    """
    scaling = read_scaling(orders[0].settings())
    with connected(scaling):
        board: Any = ray.remote(num_cpus=0)(_Board).remote()
        task = ray.remote(num_cpus=scaling.cpus_per_worker, num_gpus=_gpus(scaling))(_measure)
        pending = {
            task.remote(order, board, place, scaling): place for place, order in enumerate(orders)
        }
        records: dict[int, dict[str, Any] | None] = {}
        while pending:
            ended, _ = ray.wait(list(pending), timeout=LOOK_EVERY_S)
            for place, step in ray.get(board.news.remote()):
                if not told(orders[place], step):
                    board.stop.remote()
            for one in ended:
                records[pending.pop(one)] = _result(one)
    if any(record is None for record in records.values()):
        return None
    return [record for _, record in sorted(records.items()) if record is not None]


def _gpus(scaling: Scaling) -> float:
    return scaling.gpus_per_worker if scaling.use_gpu else 0


def _result(task: Any) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] | None = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    return record


def _measure(order: Order, board: Any, place: int, scaling: Scaling) -> dict[str, Any] | None:
    # A measuring is of one process, however many trained the network.
    use_devices(dataclasses.replace(scaling, num_workers=1))
    return measure(order, lambda step: bool(ray.get(board.tell.remote(place, step))))


class _Board:
    """Where the networks' processes say how far they are, and learn that they shall stop."""

    def __init__(self) -> None:
        self._news: list[tuple[int, Step]] = []
        self._going_on = True

    def tell(self, place: int, step: Step) -> bool:
        self._news.append((place, step))
        return self._going_on

    def news(self) -> list[tuple[int, Step]]:
        news, self._news = self._news, []
        return news

    def stop(self) -> None:
        self._going_on = False
