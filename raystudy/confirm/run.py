"""Run a race to its end, evaluate on the test split, store the result."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from raystudy.config.scaling import read_scaling
from raystudy.config.spec import StudySpec
from raystudy.confirm import conclusions, contenders, display, verdict
from raystudy.confirm.on_test_split import SplitReading, measure
from raystudy.confirm.race_sampler import point_of
from raystudy.confirm.race_study import RaceStudy
from raystudy.errors import EXIT_DONE, EXIT_FAILED
from raystudy.search.listed_space import FINALIST, SEED
from raystudy.storage import split_readings
from raystudy.storage.folders import StudyFolder, write_atomically
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ConfirmPlan
from raystudy.study import command, comparability, stored
from raystudy.study.confirmed import FILE, FLOOR
from raystudy.study.executor import Executor
from raystudy.study.info import StudyInfo
from raystudy.study.interrupt import graceful
from raystudy.study.stored import StoredStudy
from raystudy.study.study import Study
from raystudy.study.tracker import STUDY, Attachment, StudyObserver, Tracker
from raystudy.trackers import factory


def run(
    console: Console,
    folder: StudyFolder,
    manifest: Manifest,
    *,
    resumed: bool,
    as_json: bool,
    later: Sequence[str] = (),
) -> int:
    """Run the rest of a confirm, `later` being what this process was asked to change."""
    settings = stored.race_settings(manifest, later)
    folder.settle(settings)
    with folder.locked():
        with factory.opened(settings, console) as observers:
            tracker = observers[1]
            folder.write_manifest(manifest)
            study = _open(folder, manifest, observers, resumed=resumed)
            code, summary = _race(console, study, manifest, settings, tracker)
            if summary is not None:
                summary |= _circumstances(folder, summary)
                # Kept last: what is kept ends the race, and nobody would attach it any more.
                _attach(tracker, folder, summary)
                _keep(folder, summary)
        if summary is None:
            if not study.ended_early:
                _say(console, f"continue with: {folder.command('resume')}")
            return code
    return display.show_result(console, folder, summary, as_json=as_json)


def _circumstances(folder: StudyFolder, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else belongs to a race's outcome: how it was measured, and how often."""
    touches = split_readings.count(_ledger_folder(folder, summary["study"]))
    raced = len(summary["finalists"]) > 1
    images = "the validation images, then the test images," if raced else comparability.VALIDATION
    how = comparability.words(StoredStudy(folder), images)
    return {"confirm": folder.id, "test_evaluations": touches, "measured": how}


def _keep(folder: StudyFolder, summary: Mapping[str, Any]) -> None:
    """Write what the race came to, in its folder and beside the search."""
    write_atomically(folder.path / FILE, _text(summary))
    searched = folder.path.with_name(summary["study"])
    if searched.is_dir():  # where the search's report looks for it
        kept = FILE if len(summary["finalists"]) > 1 else FLOOR
        write_atomically(searched / kept, _text(summary))


def _text(summary: Mapping[str, Any]) -> str:
    return json.dumps(summary, indent=2) + "\n"


def stored_summary(folder: StudyFolder) -> dict[str, Any] | None:
    """Return the result of a confirm, if it has ended."""
    path = folder.path / FILE
    summary: dict[str, Any] | None = json.loads(path.read_text()) if path.is_file() else None
    return summary


def _open(
    folder: StudyFolder, manifest: Manifest, trackers: Sequence[StudyObserver], *, resumed: bool
) -> Study:
    runners = contenders.plan_of(manifest)
    spec = StudySpec.read(manifest.study or {})
    info = StudyInfo.of(folder, contenders.space_of(runners), spec, manifest, resumed=resumed)
    return Study.open(
        info,
        contenders.space_of(runners),
        sampler={
            "_target_": stored.SAMPLER,
            **asdict(contenders.race_of(runners)),
            "objectives": [asdict(objective) for objective in spec.objectives],
        },
        trial_scheduler={"_target_": "optuna.pruners.NopPruner"},
        trackers=trackers,
    )


def _race(
    console: Console,
    study: Study,
    manifest: Manifest,
    settings: DictConfig,
    tracker: Tracker,
) -> tuple[int, dict[str, Any] | None]:
    """Return the exit code, and the race's result if it has ended."""
    from raystudy.on_ray.executor import RayExecutor

    folder, runners = StudyFolder(study.info.folder), contenders.plan_of(manifest)
    trials = [trial for trial in StoredStudy(folder).trials if SEED in trial.params]
    scaling = read_scaling(settings)
    study.accelerators = scaling.num_workers * scaling.worker.get("GPU", 1)
    budget, most = contenders.limits(manifest.overrides)
    race = RaceStudy(
        study,
        contenders.race_of(runners),
        {trial.summary.number: point_of(trial.params) for trial in trials},
        say=lambda words: _say(console, words),
        budget=budget,
        most=most,
    )
    reading = SplitReading(study.info, trackers=[tracker])

    def end() -> None:
        race.interrupted = reading.interrupted = True

    executor = RayExecutor(scaling)
    with study, graceful(end) as interruption, executor.connected():
        if not race.is_finished:
            executor.run(race)
        if race.is_finished and not study.ended_early:
            race.settle()
            section = {**(manifest.study or {}), "num_trials": race.info.spec.num_trials}
            folder.write_manifest(replace(manifest, study=section))
            if contenders.race_of(runners).challengers:
                _read_test(race, runners, reading, RayExecutor(scaling, measure))
    measured_all = reading.is_finished or (
        race.is_finished and not contenders.race_of(runners).challengers
    )
    if interruption.signal is not None and not measured_all:
        return interruption.exit_code, None
    if study.ended_early or reading.failures or not measured_all:
        _say(console, study.ended_early or _failures(reading), style="red")
        return EXIT_FAILED, None
    return EXIT_DONE, verdict.sum_up(_outcomes(race, runners, reading))


def _read_test(
    race: RaceStudy, runners: ConfirmPlan, reading: SplitReading, executor: Executor
) -> None:
    """Record the test evaluations, then run them for those still in the race."""
    folder = StudyFolder(race.info.folder)
    for (number, seed), summary in race.runs.items():
        if number in race.standing.racing and summary.state == "complete":
            params = {FINALIST: number, SEED: seed}
            overrides = contenders.space_of(runners).as_overrides(params)
            reading.expect(summary.number, overrides, last_epoch=summary.epoch)
    if not reading.waiting:
        return
    points = {summary.number: point for point, summary in race.runs.items()}
    split_readings.record(
        _ledger_folder(folder, runners.study),
        f"confirm {folder.id}",
        configurations=sorted({points[number][0] for number in reading.waiting}),
        seeds=sorted({points[number][1] for number in reading.waiting}),
        models=len(reading.waiting),
    )
    executor.run(reading)


def _ledger_folder(folder: StudyFolder, study_id: str) -> Path:
    """Return the folder of the search, whose test split it is; if deleted, the confirm's."""
    searched = folder.path.with_name(study_id)
    return searched if searched.is_dir() else folder.path


def _outcomes(race: RaceStudy, runners: ConfirmPlan, reading: SplitReading) -> verdict.Outcomes:
    runs = race.runs
    return verdict.Outcomes(
        plan=runners,
        objectives=race.info.spec.objectives,
        runs=runs,
        tests={
            point: reading.measures[summary.number]
            for point, summary in runs.items()
            if summary.number in reading.measures
        },
        departures=race.standing.departures,
        over=race.over,
    )


def _attach(tracker: Tracker, folder: StudyFolder, summary: Mapping[str, Any]) -> None:
    """Add the conclusion to the confirm's own run, and one run for each configuration."""
    manifest = folder.read_manifest()
    line = command.start(manifest, folder)
    sentences = " ".join(f"{sentence}." for sentence in summary["conclusion"])
    conclusion = Attachment(
        tags={"raystudy.conclusion": sentences, "raystudy.command": line},
        note=f"{sentences}\n\n    {line}",
        files={FILE: _text(summary).encode()},
    )
    for entry in summary["finalists"]:
        tracker.attach(folder, str(entry["label"]), _configuration(manifest, summary, entry))
    tracker.attach(folder, STUDY, conclusion)


def _configuration(
    manifest: Manifest, summary: Mapping[str, Any], entry: Mapping[str, Any]
) -> Attachment:
    """Return what a configuration came to over its seeds."""
    overrides = contenders.plan_of(manifest).overrides[entry["trial"]]
    line = command.train(manifest.name, overrides, manifest.search_path)
    seeds, origin = len(entry["seeds"]), f"{summary['study']}/{entry['trial']}"
    return Attachment(
        metrics=conclusions.measures(entry),
        settings=entry["params"],
        tags={"raystudy.trial": origin, "raystudy.seeds": str(seeds), "raystudy.command": line},
        note=f"Mean, and {summary['confidence']:.0%} interval from low to high, of {seeds} seeds "
        f"of {origin}; differences are to the published recipe.\n\n    {line}",
    )


def _failures(reading: SplitReading) -> str:
    return "; ".join(
        f"run {number} could not be measured on test images: {reason}"
        for number, reason in reading.failures.items()
    )


def _say(console: Console, words: str, *, style: str = "") -> None:
    console.print(Text(words, style=style), soft_wrap=True)
