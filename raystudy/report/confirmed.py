"""The finalists on fresh seeds, if they were raced."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raystudy.confirm.findings import floor_words
from raystudy.confirm.split_reading import as_test
from raystudy.report import looks
from raystudy.report.plot import Plot, Spot
from raystudy.report.scales import Choices, Linear
from raystudy.report.section import Cell, Section, Table, counted
from raystudy.stored import StoredStudy
from raystudy.study import RECIPE

FILE = "confirm.json"
Race = Mapping[str, Any]
Entry = Mapping[str, Any]


def section(study: StoredStudy) -> Section | None:
    """Return the race, once `raystudy confirm` has written one."""
    race = read(study.folder.path)
    if race is None:
        return None
    finalists: list[Entry] = race["finalists"]
    metric, level = str(race["metric"]), f"{race['confidence']:.0%}"
    seeds = {seed for one in finalists for seed in one["seeds"]}
    figures = {"race-val": draw(finalists, metric, level)}
    if any("difference" in one["test"].get(as_test(metric), {}) for one in finalists):
        figures["race-test"] = draw_differences(race, level)
    floors = [floor_words(f) for f in race.get("noise_floors", {}).values()]
    return Section(
        title="Race on fresh seeds",
        words=f"The finalists and the published recipe trained again on "
        f"{counted(len(seeds), 'fresh seed')}, and only then measured on test images. Means have "
        f"{level} intervals over seeds, one tick per seed; p is of the paired difference to the "
        "recipe, Holm's correction allows for the number of finalists.",
        facts={"ended": str(race["ended"])} if "ended" in race else {},
        figures=figures,
        tables=[_on_val(finalists, metric, level), *_on_test(finalists, level)],
        warning=" ".join(f"{floor[0].upper()}{floor[1:]}." for floor in floors),
        source=f"{FILE} in the study's folder.",
    )


def read(folder: Path) -> Race | None:
    """Return what `raystudy confirm` wrote; None if there is none, or it is torn."""
    try:
        race: Race = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return None
    return race if isinstance(race, dict) and race.get("finalists") else None


def headlines(study: StoredStudy) -> list[str]:
    """Return what the race came to, a sentence for each objective."""
    race = read(study.folder.path)
    if race is None:
        return []
    return [f"On fresh seeds {said}." for said in race.get("conclusion", [])]


def draw(finalists: Sequence[Entry], metric: str, level: str) -> str:
    """Return means with intervals, in the order of the file."""
    plot = _rows(
        finalists,
        [v for one in finalists for v in (*one["values"], one["low"], one["high"])],
        f"{metric}, mean and {level} interval over seeds",
    )
    for one in finalists:
        _whisker(plot, one["label"], one["values"], one["mean"], one["low"], one["high"])
    return plot.svg(f"{metric} of {len(finalists)} configurations on fresh seeds")


def draw_differences(race: Race, level: str) -> str:
    """Return each finalist's difference to the recipe on test images, and the noise floor."""
    metric = as_test(str(race["metric"]))
    told = {
        str(one["label"]): one["test"][metric]
        for one in race["finalists"]
        if "difference" in one["test"].get(metric, {})
    }
    floor = race.get("noise_floors", {}).get(metric, {})
    seen = floor.get("paired") or floor.get("unpaired")
    ends = [v for t in told.values() for v in (t["difference_low"], t["difference_high"])]
    plot = _rows(
        [{"label": label} for label in told],
        [0.0, *ends, *([seen, -seen] if seen else [])],
        f"{metric}: difference to the published recipe, {level} interval",
    )
    plot.upright(0.0, "", looks.INK)
    for edge in (seen, -seen) if seen else ():
        plot.upright(edge, "")
    if seen:
        plot.key(
            "smallest difference these seeds can tell from noise", line=looks.FAINT, dash="5 3"
        )
    for label, t in told.items():
        low, high = t["difference_low"], t["difference_high"]
        _whisker(plot, label, [], t["difference"], low, high)
    return plot.svg(f"difference in {metric} of {len(told)} finalists to the published recipe")


def _rows(entries: Sequence[Entry], values: Sequence[object], x_label: str) -> Plot:
    labels = [str(one["label"]) for one in entries]
    return Plot(
        Linear.around(float(v) for v in values if isinstance(v, (int, float))),
        Choices(labels[::-1]),
        x_label=x_label,
        y_label="",
        height=50 + 28 * len(labels),
    )


def _whisker(
    plot: Plot,
    label: str,
    seeds: Sequence[float],
    mean: float | None,
    low: float | None,
    high: float | None,
) -> None:
    plot.marks([Spot(value, label, f"one seed: {value:.4f}") for value in seeds], looks.SEED)
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        plot.line([(low, label), (high, label)], looks.BLUE, width=2.0)
    if mean is not None:
        plot.marks([Spot(mean, label, f"{label}: {mean:.4f}")], looks.STATES["complete"])


def _on_val(finalists: Sequence[Entry], metric: str, level: str) -> Table:
    rows: list[list[Cell]] = [
        [
            str(one["label"]),
            one["trial"],
            len(one["seeds"]),
            *(one.get(key) for key in ("mean", "low", "high", "p_value", "p_holm")),
            (one.get("left") or {}).get("reason", ""),
        ]
        for one in finalists
    ]
    header = ["configuration", "trial", "seeds", "mean", "low", "high", "p", "p (Holm)", "left"]
    kept = [c for c in range(len(header)) if any(row[c] not in (None, "") for row in rows)]
    return Table(
        header=[header[c] for c in kept],
        rows=[[row[c] for c in kept] for row in rows],
        caption=f"{metric}, {level} intervals; p on test images where they were read",
        strong=frozenset(i for i, one in enumerate(finalists) if one["trial"] == RECIPE),
    )


def _on_test(finalists: Sequence[Entry], level: str) -> list[Table]:
    keys = ("mean", "low", "high", "difference", "difference_low", "difference_high")
    rows: list[list[Cell]] = [
        [str(one["label"]), name, *(told.get(key) for key in (*keys, "p_value", "p_holm"))]
        for one in finalists
        for name, told in one["test"].items()
    ]
    header = ["configuration", "measure", "mean", "low", "high"]
    header += ["to the recipe", "low", "high", "p", "p (Holm)"]
    caption = f"On the test split, {level} intervals"
    return [Table(header=header, rows=rows, caption=caption)] if rows else []
