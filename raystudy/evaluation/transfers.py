"""Black-box transfer between networks that have been measured."""

import json
from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn

from raystudy.errors import UserError
from raystudy.evaluation.runner import Order, finished_measurement
from raystudy.study_folder import write_atomically
from trainables.attacks.adversary import with_epsilon
from trainables.attacks.transfer import transfer
from trainables.data.image_set import ImageSet
from trainables.evaluate.masking import black_box_beats_white_box
from trainables.evaluate.suite import Suite, norm_of
from trainables.evaluate.withstanding import Assault
from trainables.modes import isolated_rng

BATCH_SIZE = 256


def measure(orders: Sequence[Order]) -> dict[str, Any] | None:
    """Show every network the images made on every other; None if the suite asks for no such thing.

    The result is kept beside each network's own. Rows are the networks on which images are made.

    Raises
    ------
    UserError
        If the networks are of different data.
    """
    settings = [order.settings() for order in orders]
    if not settings[0].suite.get("transfers"):
        return None
    names = {one.data.name for one in settings}
    if len(names) > 1:
        raise UserError(
            f"images go from one network to another on the same data only, got "
            f"{', '.join(sorted(names))}."
        )
    built = [finished_measurement(order) for order in orders]
    _, suite, splits = built[0]
    images, protocol = suite.images(splits), next(iter(suite.protocols))
    classifiers = [measurement.classifier(protocol) for measurement, _, _ in built]
    labels = [order.origin.label for order in orders]
    found = {
        "networks": labels,
        "protocol": protocol,
        "split": suite.split,
        "images": len(images),
        "matrices": [
            {"attack": name, "norm": norm_of(assault.within(epsilon)), "epsilon": epsilon}
            | _matrix(assault, epsilon, classifiers, images, suite, labels)
            for name, assault in suite.transfers.items()
            for epsilon in assault.radii
        ],
    }
    for order in orders:
        path = order.folder / f"{order.suite}-transfer.json"
        write_atomically(path, json.dumps(found, indent=2) + "\n")
    return found


def _matrix(
    assault: Assault,
    epsilon: float,
    classifiers: Sequence[nn.Module],
    images: ImageSet,
    suite: Suite,
    labels: Sequence[str],
) -> dict[str, Any]:
    adversary = with_epsilon(assault.adversary, epsilon)
    right = torch.zeros(len(classifiers), len(classifiers), dtype=torch.int64)
    rows = torch.arange(len(images), device=images.images.device)
    for number, chunk in enumerate(torch.split(rows, BATCH_SIZE)):
        with isolated_rng(suite.seed + number):
            withstood = transfer(adversary, classifiers, images.pixels(chunk), images.labels[chunk])
        right += withstood.sum(dim=2).cpu()
    accuracy = (right / len(images)).tolist()
    warnings = [
        f"{target}: {words}"
        for place, target in enumerate(labels)
        for words in black_box_beats_white_box(
            accuracy[place][place],
            {labels[s]: row[place] for s, row in enumerate(accuracy) if s != place},
        )
    ]
    return {"right": right.tolist(), "accuracy": accuracy, "warnings": warnings}


def show(console: Console, found: dict[str, Any]) -> None:
    """Print a matrix per attack and ball: a row for each target, a column for each source."""
    labels = found["networks"]
    for matrix in found["matrices"]:
        console.print(
            f"\n{matrix['attack']}, {matrix['norm']} {matrix['epsilon']:.4g}: accuracy of the "
            f"row's network on images made on the column's"
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("")
        for label in labels:
            table.add_column(label, justify="right")
        for place, target in enumerate(labels):
            cells = [f"{row[place]:.4f}" for row in matrix["accuracy"]]
            table.add_row(target, *cells)
        console.print(table)
        for words in matrix["warnings"]:
            console.print(Text(words, style="yellow"))
