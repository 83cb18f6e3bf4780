"""Where the results come from, and the commands that reproduce them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from raystudy.report.section import Cell, Section, Table, counted
from raystudy.storage import provenance, split_readings, spool
from raystudy.storage.redaction import redact
from raystudy.study import command
from raystudy.study.replay import replay_command
from raystudy.study.stored import StoredStudy


def section(study: StoredStudy) -> Section:
    """Return versions, commit, device and commands."""
    noted = origins(study)
    noted_by = noted or [dataclasses.asdict(provenance.collect())]
    facts: dict[str, str] = {}
    for number, origin in enumerate(noted_by):
        again = f" ({number + 1})" if len(noted_by) > 1 else ""
        if again:
            facts[f"driver{again}"] = f"{origin.get('user', '')} on {origin.get('host', '')}"
        facts |= {f"{name}{again}": words for name, words in _facts(origin).items()}
    _, settings = study.composed
    facts["seed of the trials"] = str(settings.seed)
    facts["seed of the sampler"] = str(study.spec.seed)
    touched = split_readings.count(study.folder.path)
    facts["test split"] = f"read {counted(touched, 'time')}" if touched else "never read"
    warning = (
        ""
        if noted
        else (
            "The study recorded no versions (tracker=none); these are of the machine that "
            "wrote this report."
        )
    )
    return Section(
        title="Provenance",
        words="The code and the machine that ran the study, and the commands that run it again. "
        "On a CPU with the same versions a replay gives the same numbers to the last digit.",
        facts=facts,
        tables=_touches(study),
        commands=commands(study),
        warning=warning,
        source="study.json and mlflow.spool in the study's folder.",
    )


def _touches(study: StoredStudy) -> list[Table]:
    """Return every evaluation on the test split."""
    touches = split_readings.touches(study.folder.path)
    rows: list[list[Cell]] = [
        [
            touch.get("time", ""),
            touch["what"],
            ", ".join(map(str, touch.get("configurations", []))),
            ", ".join(map(str, touch.get("seeds", []))),
            touch["count"],
        ]
        for touch in touches
    ]
    header = ["time", "by", "trials", "seeds", "networks"]
    caption = f"The test split was used {counted(len(rows), 'time')}"
    return [Table(header=header, rows=rows, caption=caption)] if rows else []


def origins(study: StoredStudy) -> list[Mapping[str, Any]]:
    """Return the provenance that each of the study's drivers recorded, without repetitions."""
    found = list(study.manifest.drivers)
    if not study.folder.spool.is_file():
        return found
    # Before format 2 of study.json, the later ones noted themselves there only.
    for event, _ in spool.read(study.folder.spool):
        if event["kind"] == "study_started" and event["provenance"] not in found:
            found.append(event["provenance"])
    return found


def commands(study: StoredStudy) -> dict[str, str]:
    """Return commands that a reader may want to run."""
    found: dict[str, str] = {study.manifest.kind: command.start(study.manifest, study.folder)}
    found["resume"] = study.folder.command("resume")
    for best in study.best[:1]:
        trial = study.trial(best.number)
        found[f"replay trial {best.number}"] = study.folder.command(
            "replay", of=f"{study.id}/{best.number}"
        )
        found["the same, written out"] = replay_command(study, trial)
    found["this report"] = study.folder.command("report")
    return {name: redact(line) for name, line in found.items()}


def _facts(origin: Mapping[str, Any]) -> dict[str, str]:
    versions: Mapping[str, str] = origin.get("versions", {})
    facts = {
        "device": str(origin.get("device", "")),
        "versions": ", ".join(
            f"{name} {version}"
            for name, version in {"python": origin.get("python"), **versions}.items()
        ),
    }
    if git := origin.get("git"):
        changed = ", with changes that were not committed" if git["dirty"] else ""
        facts["git commit"] = f"{git['commit']} ({git['branch']}{changed})"
    return facts
