"""Measure trained networks with a suite or on a downstream task, and tell their runs."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from raystudy import terminal
from raystudy.config import catalogue, compose, override, scopes
from raystudy.config.output_dir import folder_of
from raystudy.config.scaling import read_scaling
from raystudy.config.scopes import Scope
from raystudy.errors import UserError
from raystudy.evaluation import downstream, locate, network, runner, scores, tables, transfers
from raystudy.evaluation.downstream import DownstreamOrder
from raystudy.evaluation.runner import Order
from raystudy.storage.folders import StudyFolder
from raystudy.study.interrupt import graceful
from raystudy.study.open_tracker import tracker_of_study
from raystudy.study.tracker import Tracker
from trainables.suite.step import Step

DEFAULT_SUITE = "quick"


Found = tuple[list[Order], list[dict[str, Any]], dict[str, Any] | None]


def measure(
    console: Console, runs: Sequence[str], overrides: Sequence[str], search_path: Sequence[str]
) -> Found | int:
    """Return what was measured of what, and the transfers; an exit code if interrupted.

    Parameters
    ----------
    console : Console
        Shows the progress.
    runs : sequence of str
        Studies' best trials, trials, MLflow runs or files with weights, see `locate.find`; settings
        among them are overrides.
    overrides : sequence of str
        ``suite=NAME``, settings of the suite (``suite.max_images=200``), of the data, the device;
        ``protocol=NAME`` for a downstream task.
    search_path : sequence of str
    """
    settings = [word for word in runs if not locate.is_network(word)]
    runs = [word for word in runs if locate.is_network(word)]
    if not runs:
        raise UserError("evaluate needs a study, STUDY/TRIAL, a run in MLflow or a file.")
    kind, suite, own = _chosen([*settings, *overrides], search_path)
    shared = compose.load_shared(scopes.select(own, scopes.SHARED))
    output_dir = folder_of(shared)
    orders = [
        kind(
            origin=locate.find(one, own, search_path),
            suite=suite,
            overrides=tuple(scopes.without(own, [Scope.TRACKER])),
            output_dir=output_dir,
        )
        for one in runs
    ]
    _refuse_duplicates(orders)
    with _progress(console, len(orders)) as show_progress:
        interrupted = False

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True

        def report(order: Order, step: Step) -> bool:
            show_progress(order.origin.label, step)
            return not interrupted

        with graceful(interrupt) as interruption:
            records = _measure_all(orders, report)
            matrix = None
            wants_matrix = kind is Order and transfers.asked_for(orders)
            if records is not None and wants_matrix:
                matrix = transfers.measure(orders, lambda step: report(orders[0], step))
    if interrupted and (records is None or (matrix is None and wants_matrix)):
        console.print("interrupted. Rerun the same command to continue.")
        return interruption.exit_code
    assert records is not None
    _attach(orders, records, matrix, own)
    return orders, records, matrix


def _refuse_duplicates(orders: Sequence[Order]) -> None:
    """Raise if two names are one network: as two they would count as two seeds."""
    first: dict[Path, Order] = {}
    for order in orders:
        other = first.setdefault(order.origin.weights, order)
        if other is not order and other.origin.prefix == order.origin.prefix:
            raise UserError(
                f"{other.origin.label} and {order.origin.label} are the same network, "
                f"{order.origin.weights}; give it once."
            )


def _chosen(
    overrides: Sequence[str], search_path: Sequence[str]
) -> tuple[type[Order], str, list[str]]:
    """Return whether a suite or a downstream task is chosen, which, and the other overrides."""
    asked = {
        group: [override.value_of(text) for text in override.named(overrides, group)]
        for group in ("suite", "protocol")
    }
    if asked["suite"] and asked["protocol"]:
        raise UserError(
            f"suite={asked['suite'][-1]} and protocol={asked['protocol'][-1]}: a suite has its own "
            f"protocols, and protocol= stands for a downstream task; leave one out."
        )
    group = "protocol" if asked["protocol"] else "suite"
    name = [DEFAULT_SUITE, *asked[group]][-1]
    known = catalogue.options(group, search_path)
    if name not in known:
        if group == "protocol":
            known = catalogue.downstream_tasks(search_path)
        raise UserError(f"no {group} '{name}'; choose from {', '.join(known)}.")
    kind = DownstreamOrder if group == "protocol" else Order
    return kind, name, [text for text in overrides if override.path_of(text) != group]


def _measure_all(
    orders: Sequence[Order], report: Callable[[Order, Step], bool]
) -> list[dict[str, Any]] | None:
    is_downstream = isinstance(orders[0], DownstreamOrder)
    measure: Any = downstream.measure if is_downstream else runner.measure
    scaling = read_scaling(orders[0].settings())
    by_ranks = is_downstream and scaling.num_workers > 1
    if len(orders) > 1 or by_ranks:
        from raystudy.on_ray.evaluations import measure_on_ray

        storage = orders[0].output_dir if by_ranks else None
        return measure_on_ray(orders, measure, report, scaling, storage=storage)
    network.use_threads(orders[0].settings())
    record: dict[str, Any] | None = measure(orders[0], lambda step: report(orders[0], step))
    return None if record is None else [record]


def _attach(
    orders: Sequence[Order],
    records: Sequence[dict[str, Any]],
    matrix: dict[str, Any] | None,
    overrides: Sequence[str],
) -> None:
    """Add what was measured to the trials' runs."""
    trackers: dict[StudyFolder, Tracker] = {}
    for place, (order, record) in enumerate(zip(orders, records, strict=True)):
        study, number = order.origin.study, order.origin.number
        if study is None or not order.origin.usual:
            continue
        if study not in trackers:
            trackers[study] = tracker_of_study(study, overrides, terminal.warn)
        document = json.dumps(record, indent=2).encode()
        if isinstance(order, DownstreamOrder):
            found = scores.attachment(record, document)
        else:
            found = tables.attachment(record, order.suite, document)
        trackers[study].attach(study, number, found)
        if matrix is not None:
            found = transfers.attachment(matrix, order.suite, place)
            trackers[study].attach(study, number, found)
    for tracker in trackers.values():
        tracker.close()


@contextmanager
def _progress(console: Console, networks: int) -> Iterator[Callable[[str, Step], None]]:
    """Show progress: a bar per network on a terminal, else a line per task."""
    if not console.is_terminal:
        yield (
            lambda label, step: (
                console.print(f"{label}  {step.task}: done") if step.share >= 1 else None
            )
        )
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}
        current: dict[str, str] = {}

        def update(label: str, step: Step) -> None:
            title = f"{label}  {step.task}" if networks > 1 else step.task
            if label not in tasks:
                tasks[label] = bars.add_task(title, total=1.0)
            if current.get(label) != step.task:
                bars.reset(tasks[label], total=1.0, description=title)
                current[label] = step.task
            bars.update(tasks[label], completed=step.share)

        yield update
