"""``raystudy evaluate``: evaluate trained networks with a suite."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from raystudy import terminal
from raystudy.errors import EXIT_DONE
from raystudy.evaluation import scores, tables, transfers
from raystudy.evaluation.downstream import DownstreamOrder
from raystudy.evaluation.measure import measure
from raystudy.evaluation.runner import Order
from raystudy.storage import split_readings


def evaluate(
    runs: Sequence[str], overrides: Sequence[str], search_path: Sequence[str], *, as_json: bool
) -> int:
    """Evaluate studies' best trials, trials, MLflow runs or files with weights."""
    found = measure(terminal.console(stderr=as_json), runs, overrides, search_path)
    if isinstance(found, int):
        return found
    orders, records, matrix = found
    if as_json:
        terminal.print_json({"networks": records, "transfers": matrix} if matrix else records)
    else:
        _show_results(terminal.console(), orders, records, matrix)
    return EXIT_DONE


def _show_results(
    console: Console,
    orders: Sequence[Order],
    records: Sequence[dict[str, Any]],
    matrix: dict[str, Any] | None,
) -> None:
    is_downstream = isinstance(orders[0], DownstreamOrder)
    (scores if is_downstream else tables).show(console, records)
    if matrix:
        transfers.show(console, matrix)
    for order in orders:
        console.print(str(order.results), style="dim")
    if not is_downstream:  # whose test images are no study's own
        _show_readings(console, orders, records[0]["split"])


def _times(number: int) -> str:
    return "once so far" if number == 1 else f"{number} times so far"


def _show_readings(console: Console, orders: Sequence[Order], split: str) -> None:
    """Print how often the test images have been read: each reading adds selection bias."""
    folders = {o.origin.study.id: o.origin.study.path for o in orders if o.origin.study}
    for name, folder in folders.items() if split == "test" else ():
        times = split_readings.count(folder)
        console.print(f"the test images of {name} have been read {_times(times)}", style="dim")
