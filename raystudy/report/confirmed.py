"""The finalists on fresh seeds, if they were raced."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raystudy.report import looks
from raystudy.report.plot import Plot, Spot
from raystudy.report.scales import Choices, Linear
from raystudy.report.section import Cell, Section, Table, counted, measured
from raystudy.stored import StoredStudy
from raystudy.study import RECIPE

FILE = "confirm.json"
FEW = 0.05  # p-values below it


def section(study: StoredStudy) -> Section | None:
    """Return the race, once `raystudy confirm` has written one."""
    race = read(study.folder.path)
    if race is None or not race.get("finalists"):
        return None
    finalists: list[dict[str, Any]] = race["finalists"]
    level = f"{race.get('confidence', 0.95):.0%}"
    seeds = sorted({seed for one in finalists for seed in one.get("seeds", [])})
    return Section(
        title="Race on fresh seeds",
        words=f"The finalists and the published recipe trained again on "
        f"{counted(len(seeds), 'fresh seed')}: mean and {level} interval over seeds of "
        f"{race['metric']}, one tick per seed. p compares with the recipe seed by "
        "seed; Holm's correction allows for the number of finalists.",
        figures={"race": draw(finalists, race["metric"], level)},
        tables=[_table(finalists, race["metric"], level), *_test(finalists, level)],
        source=f"{FILE} in the study's folder.",
    )


def read(folder: Path) -> Mapping[str, Any] | None:
    """Return what `raystudy confirm` wrote; None if there is none, or it is torn."""
    try:
        race: Mapping[str, Any] = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return None
    return race if isinstance(race, dict) else None


def headline(study: StoredStudy) -> str:
    """Return what the race came to, in a sentence; empty without one."""
    race = read(study.folder.path)
    if race is None or not race.get("finalists"):
        return ""
    sure = [one for one in race["finalists"] if (p := one.get("p_holm")) is not None and p < FEW]
    if not sure:
        return (
            f"On fresh seeds no finalist differs from the published recipe in {race['metric']} "
            f"beyond doubt (Holm-corrected p below {FEW})."
        )
    names = ", ".join(f"{one['label']} with {measured(one['mean'])}" for one in sure)
    recipe = [one["mean"] for one in race["finalists"] if one["trial"] == RECIPE]
    against = f" against its {measured(recipe[0])}" if recipe else ""
    return (
        f"On fresh seeds {names} differ{'s' if len(sure) == 1 else ''} from the published "
        f"recipe in {race['metric']}{against} (Holm-corrected p below {FEW})."
    )


def draw(finalists: Sequence[Mapping[str, Any]], metric: str, level: str) -> str:
    """Return means with intervals, in the order of the file."""
    labels = [str(one["label"]) for one in finalists]
    numbers = [
        v for one in finalists for v in [*one["values"], one["low"], one["high"]] if _is_number(v)
    ]
    plot = Plot(
        Linear.around(numbers),
        Choices(labels[::-1]),
        x_label=f"{metric}, mean and {level} interval over seeds",
        y_label="",
        height=50 + 28 * len(labels),
    )
    for one, label in zip(finalists, labels, strict=True):
        seeds = [Spot(v, label, f"seed: {v:.4f}") for v in one["values"] if _is_number(v)]
        plot.marks(seeds, looks.SEED)
        if _is_number(one["low"]) and _is_number(one["high"]):
            plot.line([(one["low"], label), (one["high"], label)], looks.BLUE, width=2.0)
        if _is_number(one["mean"]):
            plot.marks([Spot(one["mean"], label)], looks.STATES["complete"])
    return plot.svg(f"{metric} of {len(labels)} finalists on fresh seeds")


def _table(finalists: Sequence[Mapping[str, Any]], metric: str, level: str) -> Table:
    rows: list[list[Cell]] = [
        [
            str(one["label"]),
            one["trial"],
            len(one["values"]),
            *(one.get(key) for key in ("mean", "low", "high", "p_value", "p_holm")),
        ]
        for one in finalists
    ]
    header = ["finalist", "trial", "seeds", "mean", "low", "high", "p", "p (Holm)"]
    return Table(header=header, rows=rows, caption=f"{metric}, {level} intervals")


def _test(finalists: Sequence[Mapping[str, Any]], level: str) -> list[Table]:
    rows: list[list[Cell]] = [
        [str(one["label"]), name, told.get("mean"), told.get("low"), told.get("high")]
        for one in finalists
        for name, told in (one.get("test") or {}).items()
    ]
    header = ["finalist", "measure", "mean", "low", "high"]
    caption = f"On the test split, {level} intervals"
    return [Table(header=header, rows=rows, caption=caption)] if rows else []


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
