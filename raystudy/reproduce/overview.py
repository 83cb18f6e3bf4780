"""All tables and figures: what each costs, what was run, what stands."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Shown
from rich.text import Text

from raystudy import terminal
from raystudy.evaluation import register
from raystudy.evaluation.published_table import TIERS, Table
from raystudy.report.page import page_of
from raystudy.report.section import Cell, Section
from raystudy.report.section import Table as Rows
from raystudy.reproduce import arms, costs, judgement, outputs, references
from raystudy.reproduce.arms import SMOKE
from raystudy.storage.folders import StudyFolder

FILE = "reproduce.json"
WIDE = 180  # columns, which all costs of all tiers need
ABOUT_TIMES = (
    "times are of smoke and reduced on 2 cores, of full on one H100; passes and disk are shown by "
    "reproduce --json and by a pipe (| less -S)"
)
Found = Mapping[str, Any]


def documents(output_dir: Path) -> dict[tuple[str, str], tuple[str, Found]]:
    """Return the newest document of each table and tier in a results folder, and its study."""
    found: dict[tuple[str, str], tuple[str, Found]] = {}
    paths = output_dir.glob(f"studies/*/{FILE}")
    for path in sorted(paths, key=lambda one: one.stat().st_mtime):
        document = json.loads(path.read_text())
        found[document["table"], document["tier"]] = (StudyFolder(path.parent).id, document)
    return found


def entries(output_dir: Path, search_path: Sequence[str]) -> list[dict[str, Any]]:
    """Return each table with its tiers: their cost, the study that ran them, the verdicts."""
    run = documents(output_dir)
    listed = []
    for name in register.names(search_path):
        table = register.read(name, search_path)
        tiers = {tier: _tier(table, tier, run, search_path) for tier in TIERS}
        listed.append(
            {
                "table": name,
                "source": table.source,
                "title": table.title,
                "cells": len(table.cells),
                "claims": len(table.claims),
                "unavailable": table.unavailable,
                "tiers": tiers,
            }
        )
    return listed


def _tier(
    table: Table,
    tier: str,
    run: Mapping[tuple[str, str], tuple[str, Found]],
    search_path: Sequence[str],
) -> dict[str, Any]:
    cost = costs.of_tier(table, tier)
    if cost is None:
        own = table.tiers.get(tier)
        return {"unavailable": table.unavailable or (own.unavailable if own else "there is none")}
    study, document = run.get((table.name, tier), (None, None))
    reference = references.read(table.name, tier, search_path)
    return {
        **vars(cost),
        "study": study,
        "verdicts": None if document is None else outputs.headline(document),
        "reference": None if reference is None else reference["date"],
    }


def show(console: Console, listed: Sequence[Mapping[str, Any]]) -> None:
    """Print the list; what is narrower than all of it gets hours, and below what was run."""
    is_wide = console.width >= WIDE
    shown = Shown(box=None, pad_edge=False, header_style="bold")
    shown.add_column("table", no_wrap=True)
    shown.add_column("of")
    for tier in TIERS:
        shown.add_column(f"{tier}: passes, time, disk" if is_wide else tier, no_wrap=True)
    if is_wide:
        shown.add_column("run")
    for entry in listed:
        cells = [_cost(tier, own) if is_wide else _time(own) for tier, own in _tiers(entry)]
        ran = [", ".join(filter(None, (_ran(entry), _references(entry))))] if is_wide else []
        shown.add_row(*map(Text, (entry["table"], entry["title"], *cells, *ran)))
    console.print(shown)
    if not is_wide:
        for entry in filter(_ran, listed):
            console.print(f"run: {entry['table']}, {_ran(entry)}")
        kept = [entry["table"] for entry in listed if _references(entry)]
        console.print(f"kept as references, see 'reproduce --page': {', '.join(kept)}")
        console.print(ABOUT_TIMES)


def _tiers(entry: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    tiers: Mapping[str, Mapping[str, Any]] = entry["tiers"]
    return tiers.items()


def _ran(entry: Mapping[str, Any]) -> str:
    return ", ".join(f"{tier}: {own['study']}" for tier, own in _tiers(entry) if own.get("study"))


def _references(entry: Mapping[str, Any]) -> str:
    """Return the tiers that were run by who kept their references, and not here."""
    kept = (t for t, own in _tiers(entry) if own.get("reference") and not own.get("study"))
    return ", ".join(f"{tier}: reference" for tier in kept if tier != SMOKE)


def _time(own: Mapping[str, Any]) -> str:
    if "trainings" not in own:
        return "-"
    hours = own["hours"]
    return f"{own['trainings']} trainings" if hours is None else terminal.duration(3600 * hours)


def _cost(tier: str, own: Mapping[str, Any]) -> str:
    if own.get("passes") is None:
        return _time(own)
    where = "one H100" if tier == "full" else "2 cores"
    return f"{own['passes']:.0e}, {_time(own)} on {where}, {terminal.size(own['disk'])}"


def page(output_dir: Path, search_path: Sequence[str]) -> str:
    """Return one page over all papers: what stands, what does not, what nobody has run."""
    run = documents(output_dir)
    sections = []
    for name in register.names(search_path):
        table = register.read(name, search_path)
        own = (_newest(table, tier, run, search_path) for tier in reversed(TIERS))
        sections.append(_section(table, next(filter(None, own), None)))
    stands = sum(bool(section.tables) for section in sections)
    return page_of(
        title="Papers reproduced",
        about=f"{len(sections)} tables and figures of four papers, {stands} of them run here or "
        f"kept as references.",
        headlines=[],
        sections=sections,
    )


def _newest(
    table: Table,
    tier: str,
    run: Mapping[tuple[str, str], tuple[str, Found]],
    search_path: Sequence[str],
) -> tuple[str, Found] | None:
    """Return what a tier was run as and its document: here, or the reference made of it."""
    kept, here = _kept(table, tier, search_path), run.get((table.name, tier))
    if here is None or (kept is not None and _numbers(here[1]) < _numbers(kept[1])):
        return kept
    return f"study {here[0]}", here[1]


def _numbers(found: Found) -> set[tuple[str, int, str, str, float]]:
    return {
        (run["arm"], run["seed"], cell["row"], cell["column"], cell["value"])
        for run in found["runs"]
        for cell in run["cells"]
    }


def _kept(table: Table, tier: str, search_path: Sequence[str]) -> tuple[str, Found] | None:
    """Return the document of a tier's reference, and what it is; smoke says nothing of a paper."""
    reference = None if tier == SMOKE else references.read(table.name, tier, search_path)
    if reference is None or tier not in table.tiers:
        return None
    job, runs = arms.job_of(table, table.tiers[tier]), references.runs(reference)
    found = judgement.document(job, runs, tier=tier, search_path=search_path)
    return "the reference that comes with raystudy", found | {"date": reference["date"]}


def _section(table: Table, own: tuple[str, Found] | None) -> Section:
    title = f"{table.source}: {table.title}"
    if own is None:
        why = table.unavailable or "nobody has run it"
        claims = [claim.words for claim in table.claims.values()]
        said = f"Its claims: {'; '.join(claims)}." if claims else ""
        return Section(title=title, words=f"Not run: {why}. {said}")
    study, found = own
    warning = "; ".join(
        f"{c['row']}, {c['column']}: {c['words']}" for c in found["cells"] if c["suspect"]
    )
    return Section(
        title=title,
        words=f"Tier {found['tier']}, which {outputs.TIERS[found['tier']]}; "
        f"{found['date']}, {study}. {outputs.headline(found)}.",
        tables=[_cells(found), *_claims(found), _departures(found)],
        warning=warning,
        source=f"{FILE} in the study's folder, or the reference, holds the raw runs.",
    )


def _cells(found: Found) -> Rows:
    rows: list[list[Cell]] = [
        [c["row"], c["column"], outputs.ours(c), c["printed"], c["verdict"], c["words"]]
        for c in found["cells"]
        if c["values"] or c["verdict"] not in outputs.SHORT
    ]
    header = ["row", "column", "ours", "paper", "verdict", "why"]
    return Rows(header=header, rows=rows, caption="Cells", folded=len(rows) > 20)


def _claims(found: Found) -> list[Rows]:
    rows: list[list[Cell]] = [[c["claim"]["words"], c["word"], c["words"]] for c in found["claims"]]
    return [Rows(header=["claim", "verdict", "why"], rows=rows, caption="Claims")] if rows else []


def _departures(found: Found) -> Rows:
    rows: list[list[Cell]] = [[line] for line in found["departures"]]
    return Rows(header=["departure"], rows=rows, caption="Departures from the paper", folded=True)
