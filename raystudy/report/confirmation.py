"""The finalists on fresh seeds, if there was a race."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from raystudy.config.spec import RECIPE, as_test
from raystudy.report.drawing import marks
from raystudy.report.drawing.plot import Plot, Spot
from raystudy.report.drawing.scales import Choices, Linear
from raystudy.report.section import Cell, Section, Table, counted, slug
from raystudy.study.confirmed import FILE, Entry, Race, is_noise, read_race, smallest_detectable
from raystudy.study.stored import StoredStudy
from raystudy.study.uncertainty import area_words
from trainables.evaluate.intervals import Interval


def section(study: StoredStudy) -> Section | None:
    """Return the race, once `raystudy confirm` has written one."""
    race = read_race(study.folder.path)
    if race is None:
        return None
    finalists: list[Entry] = race["finalists"]
    level = f"{race['confidence']:.0%}"
    seeds = {seed for one in finalists for seed in one["seeds"]}
    facts = {"ended": str(race["ended"])} if "ended" in race else {}
    if area := race.get("hypervolume"):
        facts["hypervolume on fresh seeds"] = area_words(Interval(**area), what="seeds")
    return Section(
        title="Race on fresh seeds",
        words=f"The finalists and the published recipe trained again on "
        f"{counted(len(seeds), 'fresh seed')}, and only then measured on test images. Means have "
        f"{level} intervals over seeds, one tick per seed; p is of the paired difference to the "
        "recipe on the same seeds, Holm's correction allows for the number of finalists and of "
        "objectives. Differences within the noise of these seeds are grey.",
        facts=facts,
        figures=dict(_figures(race, level)),
        tables=[*_on_val(race, level), *_on_test(race, level), *_floors(race, level)],
        measured=str(race.get("measured", "")),
        source=f"{FILE} in the study's folder.",
    )


def headlines(study: StoredStudy) -> list[str]:
    """Return the race's conclusion, a sentence for each objective."""
    race = read_race(study.folder.path)
    if race is None:
        return []
    return [f"On fresh seeds {said}." for said in race.get("conclusion", [])]


def _objectives(race: Race) -> list[str]:
    return list(race["finalists"][0].get("objectives") or [str(race["metric"])])


def _on(one: Entry, metric: str) -> Entry:
    """Return a finalist's values of an objective over seeds, with mean and interval."""
    own: Entry = one.get("objectives", {}).get(metric, one)
    return own


def _figures(race: Race, level: str) -> Iterator[tuple[str, str]]:
    metrics, finalists = _objectives(race), race["finalists"]
    for one, other in combinations(metrics, 2):
        yield f"race-front-{slug(one)}-{slug(other)}", draw_front(finalists, one, other, level)
    for metric in metrics:
        yield f"race-{slug(metric)}", draw(finalists, metric, level)
        if any("difference" in one["test"].get(as_test(metric), {}) for one in finalists):
            yield f"race-{slug(as_test(metric))}", draw_differences(race, as_test(metric), level)


def draw_front(finalists: Sequence[Entry], one: str, other: str, level: str) -> str:
    """Return two objectives' means with their intervals along and up."""
    shown = [
        (str(f["label"]), f["trial"], a, b)
        for f in finalists
        for a, b in [(_on(f, one), _on(f, other))]
        if all(v.get("low") is not None for v in (a, b))
    ]
    ends = ("mean", "low", "high")
    plot = Plot(
        Linear.around([a[end] for _, _, a, _ in shown for end in ends]),
        Linear.around([b[end] for _, _, _, b in shown for end in ends]),
        x_label=f"{one}, mean and {level} interval over seeds",
        y_label=other,
        height=320,
    )
    for label, trial, a, b in shown:
        plot.line([(a["low"], b["mean"]), (a["high"], b["mean"])], marks.SKY, width=1.6)
        plot.line([(a["mean"], b["low"]), (a["mean"], b["high"])], marks.SKY, width=1.6)
        look = marks.RECIPE if trial == RECIPE else marks.STATES["complete"]
        plot.marks([Spot(a["mean"], b["mean"], label)], look)
        plot.words(a["mean"], b["mean"], label, fill=marks.INK)
    return plot.svg(f"{one} against {other} of {len(shown)} configurations on fresh seeds")


def draw(finalists: Sequence[Entry], metric: str, level: str) -> str:
    """Return means with intervals, in the order of the file."""
    shown = [(str(one["label"]), _on(one, metric)) for one in finalists]
    values = [v for _, own in shown for v in (*own.get("values", ()), own["low"], own["high"])]
    label = f"{metric}, mean and {level} interval over seeds"
    plot = _rows([name for name, _ in shown], values, label)
    for name, own in shown:
        spots = [Spot(v, name, f"one seed: {v:.4f}") for v in own.get("values", ())]
        plot.marks(spots, marks.SEED)
        _whisker(plot, name, own["mean"], own["low"], own["high"])
    return plot.svg(f"{metric} of {len(shown)} configurations on fresh seeds")


def draw_differences(race: Race, metric: str, level: str) -> str:
    """Return each finalist's difference to the recipe on test images, and the noise floor."""
    shown = {
        str(one["label"]): one["test"][metric]
        for one in race["finalists"]
        if "difference" in one["test"].get(metric, {})
    }
    floor = smallest_detectable(race, metric)
    edges = (floor, -floor) if floor else ()
    ends = [v for t in shown.values() for v in (t["difference_low"], t["difference_high"])]
    label = f"{metric}: difference to the published recipe, {level} interval"
    plot = _rows(list(shown), [0.0, *ends, *edges], label)
    plot.upright(0.0, "", marks.INK)
    for edge in edges:
        plot.upright(edge, "")
    if floor:
        plot.key(
            "smallest difference these seeds can distinguish from noise",
            line=marks.FAINT,
            dash="5 3",
        )
    for name, t in shown.items():
        low, high = t["difference_low"], t["difference_high"]
        _whisker(plot, name, t["difference"], low, high, faint=is_noise(race, t, metric))
    return plot.svg(f"difference in {metric} of {len(shown)} finalists to the published recipe")


def _rows(labels: Sequence[str], values: Sequence[object], x_label: str) -> Plot:
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
    mean: float | None,
    low: float | None,
    high: float | None,
    *,
    faint: bool = False,
) -> None:
    colour = marks.PALE if faint else marks.BLUE
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        plot.line([(low, label), (high, label)], colour, width=2.0)
    if mean is not None:
        look = marks.DOMINATED if faint else marks.STATES["complete"]
        plot.marks([Spot(mean, label, f"{label}: {mean:.4f}")], look)


def _on_val(race: Race, level: str) -> list[Table]:
    """Return a table of means for every objective; empty columns are left out."""
    finalists: Sequence[Entry] = race["finalists"]
    header = ["configuration", "seeds", "mean", "low", "high", "probability on the front", "left"]
    tables = []
    for metric in _objectives(race):
        rows: list[list[Cell]] = [
            [
                str(one["label"]),
                len(one["seeds"]),
                *(_on(one, metric).get(key) for key in ("mean", "low", "high")),
                one.get("front_chance"),
                (one.get("left") or {}).get("reason", ""),
            ]
            for one in finalists
        ]
        kept = [c for c in range(len(header)) if any(row[c] not in (None, "") for row in rows)]
        tables.append(
            Table(
                header=[header[c] for c in kept],
                rows=[[row[c] for c in kept] for row in rows],
                caption=f"{metric}, {level} intervals",
                strong=frozenset(i for i, one in enumerate(finalists) if one["trial"] == RECIPE),
            )
        )
    return tables


def _on_test(race: Race, level: str) -> list[Table]:
    keys = ("mean", "low", "high", "difference", "difference_low", "difference_high")
    rows: list[list[Cell]] = []
    faint = []
    for one in race["finalists"]:
        for name, shown in one["test"].items():
            if is_noise(race, shown, name):
                faint.append(len(rows))
            values = (shown.get(key) for key in (*keys, "p_value", "p_holm"))
            rows.append([str(one["label"]), name, *values])
    header = ["configuration", "measure", "mean", "low", "high"]
    header += ["to the recipe", "low", "high", "p", "p (Holm)"]
    caption = f"On the test split, {level} intervals"
    table = Table(header=header, rows=rows, caption=caption, faint=frozenset(faint))
    return [table] if rows else []


def _floors(race: Race, level: str) -> list[Table]:
    """Return the smallest differences that are detectable, from the recipe's own seeds."""
    floors: Mapping[str, Mapping[str, Any]] = race.get("noise_floors", {})
    keys = ("seeds", "sd", "one_seed", "unpaired", "paired")
    rows: list[list[Cell]] = [[name, *(f.get(key) for key in keys)] for name, f in floors.items()]
    header = ["measure", "seeds", "sd over seeds", "two single runs", "two means", "paired means"]
    caption = f"Noise floor: the smallest detectable differences, two-sided {level}"
    return [Table(header=header, rows=rows, caption=caption)] if rows else []
