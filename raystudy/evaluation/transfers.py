"""Black-box transfer between networks that have been measured."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn

from raystudy.errors import UserError
from raystudy.evaluation.runner import Order, Saving, finished_measurement, note_reading
from raystudy.storage import checkpoint
from raystudy.storage.folders import write_atomically
from raystudy.study.tracker import Attachment
from raystudy.trial.build import load_splits
from trainables.attacks.adversary import with_epsilon, with_slope
from trainables.attacks.transfer import transfer
from trainables.data.image_set import ImageSet
from trainables.evaluate.ball_name import ball_name
from trainables.modes import isolated_rng
from trainables.suite.masking import black_box_beats_white_box, chance
from trainables.suite.step import Step
from trainables.suite.suite import Suite, norm_of

BATCH_SIZE = 256
Found = Mapping[str, Any]


def asked_for(orders: Sequence[Order]) -> bool:
    """Return whether there is anything to transfer: several networks, and a suite that asks."""
    return len(orders) > 1 and bool(orders[0].settings().suite.get("transfers"))


def measure(orders: Sequence[Order], progress: Callable[[Step], bool]) -> dict[str, Any] | None:
    """Show every network the images made on every other; None if interrupted.

    Finished work is kept, and continued. The result is kept beside each network's own. Rows are
    the networks on which images are made.

    Parameters
    ----------
    orders : sequence of Order
        Of networks that have been measured.
    progress : callable (Step) -> bool
        Called after every batch; False interrupts, and nothing is lost.

    Raises
    ------
    UserError
        If the networks are of different data.
    """
    _refuse_other_data(orders)
    keys = [order.state_key(load_splits(order.settings())) for order in orders]
    key = hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:16]
    if (known := _finished(orders[0], key)) is not None:
        return known
    built = [finished_measurement(order) for order in orders]
    _, suite, splits = built[0]
    protocol = next(iter(suite.protocols))
    classifiers = [measurement.classifier(protocol) for measurement, _, _ in built]
    state = _resumed(orders[0], key)
    if state is None:
        state = {"key": key, "cases": {}}
        for order in orders:
            note_reading(order, suite, f"evaluate suite={order.suite}, transfer")
    saving = Saving(lambda: checkpoint.save(state, _state(orders[0])))
    images = suite.images(splits)
    for step in _steps(suite, classifiers, images, state["cases"]):
        proceed = progress(step)
        saving.now_and_then(at_once=not proceed)
        if not proceed:
            return None
    labels = [order.origin.label for order in orders]
    found = {
        "key": key,
        "networks": labels,
        "protocol": protocol,
        "split": suite.split,
        "images": len(images),
        "matrices": list(_matrices(suite, state["cases"], len(images), labels)),
    }
    for order in orders:
        write_atomically(_results(order), json.dumps(found, indent=2) + "\n")
    _state(orders[0]).unlink(missing_ok=True)
    return found


def _refuse_other_data(orders: Sequence[Order]) -> None:
    names = {order.settings().data.name for order in orders}
    if len(names) > 1:
        raise UserError(
            f"images go from one network to another on the same data only, got "
            f"{', '.join(sorted(names))}."
        )


def _matrices(
    suite: Suite, cases: Mapping[int, Any], images: int, labels: Sequence[str]
) -> Iterator[Found]:
    for place, (name, epsilon) in enumerate(_cases(suite)):
        norm = norm_of(suite.transfers[name].within(epsilon))
        attack = {"attack": name, "norm": norm, "epsilon": epsilon}
        yield attack | _matrix(cases[place]["right"], images, labels)


def _results(order: Order) -> Path:
    return order.folder / f"{order.suite}-transfer.json"


def _state(order: Order) -> Path:
    return order.folder / f"{order.suite}-transfer.ckpt"


def _finished(order: Order, key: str) -> dict[str, Any] | None:
    if not _results(order).is_file():
        return None
    known: dict[str, Any] = json.loads(_results(order).read_text())
    return known if known.get("key") == key else None


def _resumed(order: Order, key: str) -> dict[str, Any] | None:
    if not _state(order).is_file():
        return None
    state = checkpoint.load(_state(order))
    return state if state["key"] == key else None


def _cases(suite: Suite) -> list[tuple[str, float]]:
    """Return every attack and radius, in order."""
    return [(name, epsilon) for name, attack in suite.transfers.items() for epsilon in attack.radii]


def _steps(
    suite: Suite, classifiers: Sequence[nn.Module], images: ImageSet, done: dict[int, Any]
) -> Iterator[Step]:
    """Do the batches that are left; between two, `done` is whole."""
    networks = [with_slope(classifier) for classifier in classifiers]
    rows = torch.arange(len(images), device=images.images.device)
    batches = torch.split(rows, suite.batch_size or BATCH_SIZE)
    nobody = torch.zeros(len(networks), len(networks), dtype=torch.int64)
    for place, (name, epsilon) in enumerate(_cases(suite)):
        case = done.setdefault(place, {"batches": 0, "right": nobody})
        adversary = with_epsilon(suite.transfers[name].adversary, epsilon)
        for number in range(case["batches"], len(batches)):
            chunk = batches[number]
            with isolated_rng(suite.seed + number):
                right = transfer(adversary, networks, images.pixels(chunk), images.labels[chunk])
            done[place] = {
                "batches": number + 1,
                "right": done[place]["right"] + right.sum(dim=2).cpu(),
            }
            yield Step(f"transfer: {name} {epsilon:.4g}", (number + 1) / len(batches))


def _matrix(right: torch.Tensor, images: int, labels: Sequence[str]) -> dict[str, Any]:
    accuracy: list[list[float]] = (right.double() / images).tolist()
    warnings = {
        target: black_box_beats_white_box(
            accuracy[place][place],
            {labels[s]: row[place] for s, row in enumerate(accuracy) if s != place},
            margin=chance(images),
        )
        for place, target in enumerate(labels)
    }
    return {"right": right.tolist(), "accuracy": accuracy, "warnings": warnings}


def show(console: Console, found: Found) -> None:
    """Print a matrix per attack and ball: a row for each target, a column for each source."""
    labels = found["networks"]
    for matrix in found["matrices"]:
        console.print(
            f"\n{_title(matrix)}: accuracy of the row's network on images made on the column's"
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("")
        for label in labels:
            table.add_column(label, justify="right")
        for place, target in enumerate(labels):
            cells = [f"{row[place]:.4f}" for row in matrix["accuracy"]]
            table.add_row(target, *cells)
        console.print(table)
        for target, words in matrix["warnings"].items():
            for warning in words:
                console.print(Text(f"{target}: {warning}", style="yellow"))


def attachment(found: Found, suite: str, place: int) -> Attachment:
    """Return what a network's run in MLflow gets: its accuracy on images made on the others."""
    labels = found["networks"]
    prefix = f"{found['split']}/{found['protocol']}/transfer"
    metrics = {
        f"{prefix} {matrix['attack']} {matrix['epsilon']:.4g} from {source}": row[place]
        for matrix in found["matrices"]
        for source, row in zip(labels, matrix["accuracy"], strict=True)
    }
    warnings = [
        f"{_title(matrix)}: {warning}"
        for matrix in found["matrices"]
        for warning in matrix["warnings"][labels[place]]
    ]
    return Attachment(
        metrics=metrics,
        tags={f"raystudy.warnings.{suite}.transfer": "\n".join(warnings) or "none"},
        files={f"{suite}-transfer.json": json.dumps(found, indent=2).encode()},
        folder="evaluations",
    )


def _title(matrix: Found) -> str:
    return f"{matrix['attack']}, {ball_name(matrix['norm'], matrix['epsilon'])}"
