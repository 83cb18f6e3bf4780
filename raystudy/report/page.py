"""Sections as one HTML file that needs nothing else."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import raystudy
from raystudy.report import (
    confirmation,
    cost,
    curves,
    evaluations,
    failures,
    history,
    importance,
    outcome,
    reproduce,
    rung_audit,
    setup,
    slices,
    trial_table,
)
from raystudy.report.drawing import svg
from raystudy.report.importance import Kind
from raystudy.report.section import Section, counted, number
from raystudy.search import rungs
from raystudy.storage import split_readings
from raystudy.study.stored import StoredStudy


def sections(study: StoredStudy, kind: Kind = "ped_anova") -> list[Section]:
    """Return the sections of a study's report, in order."""
    _, settings = study.composed
    parts: Iterator[Section | None] = iter(
        (
            setup.section(study),
            outcome.section(study),
            confirmation.section(study),
            evaluations.section(study),
            history.section(study),
            importance.section(study, kind),
            slices.section(study),
            curves.section(study, rungs.of_scheduler(settings)),
            rung_audit.section(study),
            failures.section(study),
            cost.section(study),
            setup.setup(study),
            reproduce.section(study),
            trial_table.section(study),
        )
    )
    return [part for part in parts if part is not None]


def render(study: StoredStudy, parts: Sequence[Section]) -> str:
    """Return the page of a study."""
    title = f"{study.manifest.name} on {study.info.dataset}"
    return page_of(
        title=title,
        tab=f"{study.id}: {title}",
        about=f"Study {study.id}: {_state(study)}.",
        headlines=[outcome.headline(study), *confirmation.headlines(study)],
        sections=parts,
    )


def page_of(
    *,
    title: str,
    about: str,
    headlines: Sequence[str],
    sections: Sequence[Section],
    tab: str = "",
) -> str:
    """Return sections as one page that needs nothing else."""
    folder = resources.files("raystudy.report")
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["breakable"] = _breakable
    environment.filters["number"] = number
    environment.tests["words"] = lambda cell: isinstance(cell, str)
    template = environment.from_string(folder.joinpath("page.html").read_text())
    html = template.render(
        css=Markup(folder.joinpath("page.css").read_text()),
        about=about,
        headlines=headlines,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by raystudy {raystudy.__version__}",
        drawn=Markup,  # our own SVG, in which everything is escaped already
        sections=sections,
        tab=tab or title,
        title=title,
    )
    return svg.clean(html)


def _breakable(words: str) -> Markup:
    """Let a setting's name wrap after a dot or a slash."""
    return Markup("<wbr>").join(re.split(r"(?<=[./_])", words))


def _state(study: StoredStudy) -> str:
    ended = study.ended
    counts = {state: sum(s.state == state for s in ended) for state in {s.state for s in ended}}
    words = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    running = len(study.trials) - len(ended)
    going = f", {running} not ended" if running else ""
    planned = counted(study.spec.num_trials, "trial")
    touched = split_readings.count(study.folder.path)
    test = f"test split read {counted(touched, 'time')}" if touched else "test split never read"
    return f"{study.state}; {len(ended)} of {planned} ended ({words or 'none'}{going}); {test}"
