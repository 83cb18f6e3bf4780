"""``raystudy status`` and ``best``: the state of a study, read from disk."""

import dataclasses
import json
import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE
from raystudy.storage import lock, split_readings
from raystudy.study import plain, uncertainty
from raystudy.study.replay import replay_command
from raystudy.study.stored import StoredStudy, StoredTrial
from raystudy.study.uncertainty import Uncertainty
from raystudy.trackers.console import ConsoleTracker, short

POLL_EVERY_S = 2.0


def status(study_id: str, overrides: Sequence[str], *, as_json: bool, follow: bool) -> int:
    """Show a study's trials, once or until the study ends."""
    output_dir = results_folder(overrides)
    study = StoredStudy.open(output_dir, study_id)
    if as_json:
        trials = [plain.trial(trial) | _place(study, trial) for trial in study.trials]
        waits = dataclasses.asdict(study.waiting) if study.waiting else None
        terminal.print_json(plain.describe(study) | {"waiting": waits, "trials": trials})
        return EXIT_DONE
    console = terminal.console()
    if follow and console.is_terminal:
        with Live(_table(study, console), console=console, auto_refresh=False) as live:
            while study.state == "running":
                time.sleep(POLL_EVERY_S)
                study = StoredStudy.open(output_dir, study_id)
                live.update(_table(study, console), refresh=True)
    else:
        console.print(_table(study, console))
    console.print(Text(_headline(study)))
    if study.waiting:
        console.print(Text(str(study.waiting), style="yellow"))
    return EXIT_DONE


def best(study_id: str, overrides: Sequence[str], *, as_json: bool) -> int:
    """Show the best trial, or the Pareto front, and the command that replays it."""
    study = StoredStudy.open(results_folder(overrides), study_id)
    if study.manifest.kind == "confirm":
        return _conclusion(study, as_json=as_json)
    trials = [study.trial(summary.number) for summary in study.best]
    intervals = uncertainty.estimate(study.ended, study.spec.objectives, study.manifest.measured_on)
    if as_json:
        found = [plain.trial(t, replay_command(study, t)) for t in trials]
        terminal.print_json([one | _intervals_json(intervals, one["number"]) for one in found])
        return EXIT_DONE
    console = terminal.console()
    if not trials:
        states = Counter(summary.state for summary in study.ended)
        counts = ", ".join(f"{count} {state}" for state, count in states.items())
        none = f"none of the {len(study.ended)} trials completed: {counts}"
        state = none if study.ended else "no trial has ended yet"
        console.print(f"{study.id}: {state}", soft_wrap=True)
    for trial in trials:
        summary = trial.summary
        chance = f"  {uncertainty.chance_words(intervals, summary.number)}" if intervals else ""
        line = f"trial {summary.number}  {values(summary.last)}{chance}"
        console.print(Text(line), soft_wrap=True)
        if summary.violation:
            console.print(Text(f"  {summary.reason}; no trial is feasible"), soft_wrap=True)
        for path, value in trial.params.items():
            console.print(Text(f"  {path}={value}"), soft_wrap=True)
        console.print(Text(f"  {replay_command(study, trial)}"), soft_wrap=True)
    if intervals and intervals.hypervolume:
        area = uncertainty.area_words(intervals.hypervolume)
        console.print(Text(f"hypervolume {area}"), soft_wrap=True)
    return EXIT_DONE


def _intervals_json(found: Uncertainty | None, number: int) -> dict[str, Any]:
    """Return a trial's confidence intervals from image sampling, as plain values."""
    if found is None:
        return {}
    intervals = {metric: [one.low, one.high] for metric, one in found.intervals[number].items()}
    return {"chance": found.chances[number], "intervals": intervals}


def _conclusion(study: StoredStudy, *, as_json: bool) -> int:
    """Show the conclusion of a confirm: its runs are one seed each, and none of them is best."""
    path = study.folder.path / "confirm.json"
    found = json.loads(path.read_text()) if path.is_file() else None
    if as_json:
        terminal.print_json(found)
    else:
        unfinished = f"not finished; continue with: {study.folder.command('resume')}"
        conclusion = "; ".join(found["conclusion"]) if found else unfinished
        terminal.console().print(Text(f"{study.id}: {conclusion}"), soft_wrap=True)
    return EXIT_DONE


def _place(study: StoredStudy, trial: StoredTrial) -> dict[str, Any]:
    """Return which machines run a trial, or ran it last."""
    return {"host": study.trial_folder(trial.summary.number).hosts or None}


def values(measures: Mapping[str, float]) -> str:
    """Return measures on one line."""
    return "  ".join(f"{short(name)} {value:.4f}" for name, value in measures.items())


def _headline(study: StoredStudy) -> str:
    trials = f"{len(study.ended)} of {study.spec.num_trials} trials ended"
    more = (
        "" if study.state != "interrupted" else f"; continue with: {study.folder.command('resume')}"
    )
    readings = split_readings.count(study.folder.path)
    times = f"{readings} time{'s' * (readings != 1)}" if readings else "never"
    test = f"test split read {times}" if readings else "test split never read"
    owner = lock.owner(study.folder.path)
    elsewhere = study.state == "running" and owner and owner.host not in ("", socket.gethostname())
    where = f" on {owner.host}" if owner and elsewhere else ""
    return f"{study.id} is {study.state}{where}: {trials}{more}; {test}"


def _table(study: StoredStudy, console: Console) -> RenderableType:
    """Return the table that the running study shows."""
    _, settings = study.composed
    going = "running" if study.state == "running" else "interrupted"
    tracker = ConsoleTracker(console, settings.max_epochs, going=going)
    tracker.expect(study.info)
    waiting = study.waiting.trials if study.waiting else ()
    for trial in study.trials:
        waits = trial.summary.number in waiting
        folder = study.trial_folder(trial.summary.number)
        tracker.add(trial.summary, trial.params, folder, waits=waits)
    return tracker.table()
