"""A table and runs as one document: raw runs, verdicts on cells and claims, what could be seen."""

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from raystudy.evaluation.published_table import Cell, Table, Tier
from raystudy.reproduce import cells, claims, departures
from raystudy.reproduce.arms import SMOKE, Job
from raystudy.reproduce.claims import ClaimVerdict, Point
from raystudy.reproduce.contrast import POWER, detectable
from raystudy.reproduce.runs import Run, of_reproduction, with_sources
from raystudy.storage import provenance
from raystudy.study.stored import StoredStudy

FORMAT = 1
Found = dict[str, Any]
Proceed = Callable[[], bool]
WIRING = "the smoke tier is about the wiring alone"


def judge(job: Job, studies: Sequence[StoredStudy], *, tier: str) -> Found:
    """Return the document of reproductions.

    Raises
    ------
    UserError
        If numbers that are compared were measured in different ways.
    """
    runs = [run for study in studies for run in of_reproduction(study)]
    return document(job, runs, tier=tier, search_path=studies[0].manifest.search_path)


def document(job: Job, runs: Sequence[Run], *, tier: str, search_path: Sequence[str] = ()) -> Found:
    """Return what ``reproduce.json`` holds.

    Parameters
    ----------
    job : Job
    runs : sequence of Run
    tier : str
    search_path : sequence of str
    """
    departs, runs = departures.of_job(job, search_path), with_sources(runs)
    judged = {
        (cell.row_name, cell.column_name): _cell(job, cell, runs, tier, departs)
        for cell in job.table.cells
    }
    values = _by_point(job, judged, runs)
    about = _claims(job.table, values, tier)
    return {
        "format": FORMAT,
        "table": job.table.name,
        "source": job.table.source,
        "title": job.table.title,
        "tier": tier,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "setup": job.table.setup,
        "seen": _seen(job, values),
        "departures": _departures(job, departs),
        "inconsistencies": {str(n): words for n, words in job.table.inconsistencies.items()},
        "cells": [
            _plain_cell(cell, judged[cell.row_name, cell.column_name]) for cell in job.table.cells
        ],
        "claims": [
            {"name": name, "claim": asdict(job.table.claims[name]), **asdict(verdict)}
            for name, verdict in about.items()
        ],
        "runs": [_plain_run(job, run) for run in runs],
        "to_measure": _to_measure(job, runs),
        "provenance": asdict(provenance.collect()),
    }


def _cell(
    job: Job,
    cell: Cell,
    runs: Sequence[Run],
    tier: str,
    departs: Mapping[str, Mapping[str, str]],
) -> cells.CellVerdict:
    arm = job.arm_of(cell.row_name, cell.column_name)
    own = [run for run in runs if run.arm == arm]
    why = WIRING if tier == SMOKE else ""
    if arm is not None and departs.get(arm):
        path, words = next(iter(departs[arm].items()))
        why = why or f"not at the paper's scale: {path} is {words}"
    return cells.judge(cell, own, not_at_scale=why)


def _by_point(
    job: Job, judged: Mapping[Point, cells.CellVerdict], runs: Sequence[Run]
) -> dict[Point, Mapping[int, float]]:
    """Return the numbers of each cell by seed, of runs that ended well and were measured alike."""
    for column in job.table.columns:
        of_column = [c for c in job.table.cells if c.column_name == column]
        for protocol in {cell.protocol for cell in of_column}:
            found = {
                place: measured
                for place, (cell, run) in enumerate(
                    (cell, run)
                    for cell in of_column
                    if cell.protocol == protocol
                    for run in runs
                    if run.arm == job.arm_of(cell.row_name, column)
                )
                if (measured := run.measured(cell)) is not None
            }
            cells.refuse_mixed(of_column[0], found)
    return {point: verdict.values for point, verdict in judged.items() if verdict.values}


def _claims(
    table: Table, values: Mapping[Point, Mapping[int, float]], tier: str
) -> dict[str, ClaimVerdict]:
    if tier != SMOKE:
        return claims.judge(table.claims, values)
    return {name: ClaimVerdict(word="not run", words=WIRING) for name in table.claims}


def _seen(job: Job, values: Mapping[Point, Mapping[int, float]]) -> dict[str, Any]:
    r"""Return, by column, the difference of two rows these runs see with a power of 80 %.

    .. math:: (t_{0.975, \nu} + t_{0.8, \nu}) \, s \sqrt{2 / n}

    with s pooled over rows and n the fewest seeds of a row.
    """
    found = {}
    for column in job.table.columns:
        rows = [list(v.values()) for (_, c), v in values.items() if c == column and len(v) > 1]
        degrees = sum(len(row) - 1 for row in rows)
        if not degrees:
            continue
        squares = [(y - math.fsum(row) / len(row)) ** 2 for row in rows for y in row]
        sd = math.sqrt(math.fsum(squares) / degrees)
        seeds = min(map(len, rows))
        found[column] = {
            "sd": sd,
            "seeds": seeds,
            "power": POWER,
            "difference": detectable(sd * math.sqrt(2), seeds, degrees),
        }
    return found


def _to_measure(job: Job, runs: Sequence[Run]) -> list[str]:
    """Return the commands that measure what was trained and not measured."""
    found: dict[tuple[str, int | None], dict[str, None]] = {}
    transferred = {cell.suite for cell, _ in job.cells if cell.column.source}
    for cell, arm in job.cells:
        how = _how_to_measure(cell, job.tier)
        for run in runs if how else []:
            if run.arm == arm and run.state == "complete" and run.measured(cell) is None:
                together = run.seed if cell.suite in transferred else None
                found.setdefault((how, together), {})[f"{run.study}/{run.trial}"] = None
    return [f"raystudy evaluate {' '.join(trials)} {how}" for (how, _), trials in found.items()]


def _how_to_measure(cell: Cell, tier: Tier) -> str:
    if cell.column.measure:
        return ""
    if cell.column.score:
        return f"protocol={cell.protocol} data={cell.column.measured_on}"
    return shlex.join([f"suite={cell.suite}", *tier.suite]) if cell.suite else ""


def _departures(job: Job, departs: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return how this differs from the paper: what is stated, then what the settings say."""
    lines = list(job.tier.departures)
    common = set.intersection(*(set(own.items()) for own in departs.values())) if departs else set()
    lines += [f"{path}: {words}" for path, words in sorted(common)]
    for arm, own in departs.items():
        lines += [f"{arm}: {path}: {w}" for path, w in own.items() if (path, w) not in common]
    return [*lines, *(f"measured with {text}" for text in job.tier.suite)]


def _plain_cell(cell: Cell, verdict: cells.CellVerdict) -> Found:
    printed = cell.printed
    return {
        "row": cell.row_name,
        "column": cell.column_name,
        "unit": cell.column.unit,
        "printed": None if printed is None else printed.text,
        "values": {str(seed): value for seed, value in verdict.values.items()},
        "verdict": verdict.word,
        "words": verdict.words,
        "suspect": verdict.suspect,
        "comparison": None if verdict.comparison is None else asdict(verdict.comparison),
    }


def _plain_run(job: Job, run: Run) -> Found:
    own = [cell for cell, arm in job.cells if arm == run.arm]
    measured = [(cell, run.measured(cell)) for cell in own]
    return {
        "arm": run.arm,
        "study": run.study,
        "trial": run.trial,
        "seed": run.seed,
        "state": run.state,
        "reason": run.reason,
        "seconds": run.seconds,
        "passes": run.passes,
        "training": {k: v for k, v in run.metrics.items() if k.startswith(("train/", "val/"))},
        "cells": [
            {
                "row": cell.row_name,
                "column": cell.column_name,
                **asdict(one),
                "otherwise": cells.measured_otherwise(cell, run),
            }
            for cell, one in measured
            if one is not None
        ],
    }
