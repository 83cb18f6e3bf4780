"""Run a reproduction to its end: train its arms, measure them, keep the verdicts."""

import json
from collections.abc import Mapping, Sequence

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from raystudy.config.scaling import read_scaling
from raystudy.config.spec import StudySpec
from raystudy.errors import EXIT_DONE, EXIT_FAILED
from raystudy.evaluation import register
from raystudy.evaluation.runner import Order
from raystudy.on_ray.job import load_and_run
from raystudy.reproduce import arms, judgement, measuring, outputs, references
from raystudy.reproduce.arms import SMOKE, Job
from raystudy.search.listed_space import ArmSpace
from raystudy.storage.folders import StudyFolder, write_atomically
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ReproducePlan
from raystudy.study import stored
from raystudy.study.executor import Executor
from raystudy.study.info import StudyInfo
from raystudy.study.interrupt import graceful
from raystudy.study.stored import StoredStudy
from raystudy.study.study import Study
from raystudy.study.tracker import Attachment, StudyObserver
from raystudy.trackers import factory
from trainables.suite.step import Step

FILE, LATEX = "reproduce.json", "reproduce.tex"


def plan_of(manifest: Manifest) -> ReproducePlan:
    """Return what a reproduction's manifest fixes."""
    assert manifest.reproduce is not None
    return manifest.reproduce


def job_of(manifest: Manifest) -> Job:
    """Return what a stored reproduction runs: its own arms, and the table's cells of them."""
    plan = plan_of(manifest)
    table = register.read(plan.table, manifest.search_path)
    tier = arms.tier_of(table, plan.tier)
    job = arms.job_of(table, tier)
    cells = [(cell, arm) for cell, arm in job.cells if arm in plan.arms]
    return Job(table=table, tier=tier, arms=plan.arms, cells=cells)


def run(
    console: Console,
    folder: StudyFolder,
    manifest: Manifest,
    *,
    resumed: bool,
    as_json: bool,
    later: Sequence[str] = (),
) -> int:
    """Run the rest of a reproduction, `later` being what this process was asked to change."""
    settings = stored.arm_settings(manifest, later)
    folder.settle(settings)
    with folder.locked(), factory.opened(settings, console) as observers:
        folder.write_manifest(manifest)
        code = _trained_and_measured(console, folder, manifest, settings, observers, resumed)
        if code != EXIT_DONE:
            return code
        found = judgement.judge(
            job_of(manifest), [StoredStudy(folder)], tier=plan_of(manifest).tier
        )
        found["reference"] = references.compare(
            found, references.read(found["table"], found["tier"], manifest.search_path)
        )
        files = {LATEX: outputs.latex(found), FILE: json.dumps(found, indent=2) + "\n"}
        observers[1].attach(folder, "study", _attachment(found, files))
        for name, text in files.items():
            write_atomically(folder.path / name, text)
    outputs.show(console, found, as_json=as_json)
    if not as_json:
        for name in files:
            console.print(Text(f"{folder.path / name}", style="dim"), soft_wrap=True)
    return EXIT_FAILED if references.failed(found) else EXIT_DONE


def _trained_and_measured(
    console: Console,
    folder: StudyFolder,
    manifest: Manifest,
    settings: DictConfig,
    observers: Sequence[StudyObserver],
    resumed: bool,
) -> int:
    study = _open(folder, manifest, observers, resumed=resumed)
    in_process = plan_of(manifest).tier == SMOKE
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        study.interrupted = interrupted = True

    with graceful(interrupt) as interruption:
        with study:
            _executor(settings, in_process=in_process).run(study)
        if study.is_finished and study.ended_early:
            console.print(Text(study.ended_early, style="red"))
            return EXIT_FAILED
        whole = study.is_finished and _measured(
            console, folder, manifest, settings, lambda: not interrupted, in_process=in_process
        )
    if not whole:
        console.print(f"continue with: {folder.command('resume')}")
        return interruption.exit_code
    return EXIT_DONE


def _executor(settings: DictConfig, *, in_process: bool) -> Executor:
    scaling = read_scaling(settings)
    if in_process:
        from raystudy.study.in_process import ProcessExecutor

        return ProcessExecutor(load_and_run, threads=max(1, int(scaling.cpus_per_worker)))
    from raystudy.on_ray.executor import RayExecutor

    return RayExecutor(scaling)


def _open(
    folder: StudyFolder, manifest: Manifest, observers: Sequence[StudyObserver], *, resumed: bool
) -> Study:
    plan = plan_of(manifest)
    space = ArmSpace.of(plan.arms, plan.seeds)
    info = StudyInfo.of(
        folder, space, StudySpec.read(manifest.study or {}), manifest, resumed=resumed
    )
    return Study.open(
        info,
        space,
        sampler={
            "_target_": stored.ARM_SAMPLER,
            "arms": list(plan.arms),
            "seeds": list(plan.seeds),
        },
        trial_scheduler={"_target_": "optuna.pruners.NopPruner"},
        trackers=observers,
    )


def _measured(
    console: Console,
    folder: StudyFolder,
    manifest: Manifest,
    settings: DictConfig,
    proceed: "judgement.Proceed",
    *,
    in_process: bool,
) -> bool:
    orders = measuring.orders_of(StoredStudy(folder), job_of(manifest))

    def on_step(order: Order, step: Step) -> bool:
        if step.share >= 1:
            line = f"{order.origin.label}  {order.suite}  {step.task}: done"
            console.print(Text(line, style="dim"))
        return proceed()

    return measuring.measure_all(orders, on_step, read_scaling(settings), in_process=in_process)


def _attachment(found: judgement.Found, files: Mapping[str, str]) -> Attachment:
    return Attachment(
        metrics=outputs.measures(found),
        tags={"raystudy.verdicts": outputs.headline(found)},
        note=outputs.headline(found),
        files={name: text.encode() for name, text in files.items()},
    )
