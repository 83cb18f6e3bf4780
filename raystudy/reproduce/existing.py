"""Judge studies that exist: reproductions of the table, and what was trained as its rows are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig

from raystudy.config import compose, recipe, scopes
from raystudy.config.scopes import Scope
from raystudy.errors import UserError
from raystudy.evaluation.published_table import Table, Tier
from raystudy.reproduce import arms, departures, judgement
from raystudy.reproduce.arms import FULL, Job
from raystudy.reproduce.judgement import Found
from raystudy.reproduce.runs import Run, of_reproduction
from raystudy.search.listed_space import SEED
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import Arm, ReproducePlan
from raystudy.study.replay import trial_name, trial_overrides
from raystudy.study.stored import StoredStudy


def judge(table: Table, studies: Sequence[StudyFolder], search_path: Sequence[str]) -> Found:
    """Return the document of studies, and single trainings, that were run before.

    Raises
    ------
    UserError
        If nothing of a study is trained as a row, if two have the same run, or if their tiers or
        measurement settings differ.
    """
    manifests = {study.id: study.read_manifest() for study in studies}
    plans = {name: manifest.reproduce for name, manifest in manifests.items()}
    for name, manifest in manifests.items():
        _refuse_chosen(name, manifest)
    tiers = {plan.tier if plan else FULL for plan in plans.values()}
    if len(tiers) > 1:
        raise UserError(
            f"--from: {', '.join(plans)} are of the tiers {' and '.join(sorted(tiers))}, whose "
            f"runs are no repetitions of each other; give those of one."
        )
    tier = tiers.pop()
    job = _job(table, tier, [p for p in plans.values() if p and p.table == table.name])
    runs: list[Run] = []
    for study in studies:
        plan = plans[study.id]
        if manifests[study.id].kind == "train":
            own = [_trained(job, study, manifests[study.id])]
        elif plan is None:
            own = _matched(job, StoredStudy(study))
        elif plan.table == table.name:
            own = of_reproduction(StoredStudy(study))
        else:
            own = of_reproduction(StoredStudy(study), _shared(job, study.id, manifests[study.id]))
        _refuse_twice(runs, own)
        runs += own
    return judgement.document(job, runs, tier=tier, search_path=search_path)


def _refuse_chosen(study: str, manifest: Manifest) -> None:
    if manifest.confirm is not None:
        raise UserError(
            f"--from {study}: it is a confirm, whose arms were chosen by their own results; give "
            f"a search, a training or a reproduction."
        )


def _job(table: Table, tier: str, plans: Sequence[ReproducePlan]) -> Job:
    found = arms.job_of(table, table.tiers.get(tier, Tier()))
    for plan in plans:
        changed = [name for name, arm in plan.arms.items() if found.arms.get(name, arm) != arm]
        found = replace(found, arms={**found.arms, **plan.arms}) if changed else found
    if any(dict(plan.arms) != {n: found.arms.get(n) for n in plan.arms} for plan in plans):
        raise UserError(
            f"--from: the reproductions of {table.name} were trained with different overrides; "
            f"give them one by one."
        )
    return found


def _shared(job: Job, study: str, manifest: Manifest) -> dict[str, str]:
    """Return which arms of another table's reproduction are this one's, and what they are here."""
    plan = manifest.reproduce
    assert plan is not None
    theirs = {name: _recipe(arm, manifest.search_path) for name, arm in plan.arms.items()}
    ours = {name: _recipe(arm, manifest.search_path) for name, arm in job.arms.items()}
    found = {one: other for one in theirs for other in ours if _alike(theirs[one], ours[other])}
    if not found:
        raise UserError(
            f"--from {study}: it is a reproduction of {plan.table}, and none of its trainings is "
            f"one of {job.table.name} at --tier {plan.tier}."
        )
    return found


def _recipe(arm: Arm, search_path: Sequence[str]) -> dict[str, Any]:
    return recipe.recipe_of(compose.load(arm.study, arm.overrides, search_path))


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two recipes train the same, whatever they measure meanwhile."""
    return not any(scopes.of(path) is Scope.TRIAL for path in recipe.changes(one, other))


def _matched(job: Job, study: StoredStudy) -> list[Run]:
    """Return the trials that were trained as an arm is at the paper's own scale."""
    found, nearest = [], ""
    for trial in study.trials:
        if trial.summary.state == "running":
            continue
        overrides = trial_overrides(study, trial)
        arm = _arm(trial_name(study, trial), overrides)
        name, departs = _nearest(job, arm, study.manifest.search_path)
        if name and not departs:
            seed = _seed(overrides, study.composed[1])
            found.append(Run.of(study, trial, name, seed))
        elif name and not nearest:
            nearest = f"; from {name} trial {trial.summary.number} {_departs(departs)}"
    if not found:
        raise UserError(
            f"--from {study.id}: none of its trials was trained as a row of {job.table.name}"
            f"{nearest}."
        )
    return found


def _trained(job: Job, study: StudyFolder, manifest: Manifest) -> Run:
    """Return a single training, trained as an arm is at the paper's own scale."""
    settings = compose.load(manifest.name, manifest.overrides, manifest.search_path)
    arm = _arm(manifest.name, manifest.overrides)
    name, departs = _nearest(job, arm, manifest.search_path)
    if not name or departs:
        nearest = f"; from {name} it {_departs(departs)}" if name else ""
        raise UserError(
            f"--from {study.id}: it was not trained as a row of {job.table.name}{nearest}."
        )
    seed = _seed(manifest.overrides, settings)
    return Run.of_training(study, int(settings.max_epochs), name, seed)


def _arm(study: str, overrides: Sequence[str]) -> Arm:
    own = [text for text in overrides if not text.startswith(f"{SEED}=")]
    return Arm(study=study, overrides=tuple(own))


def _departs(departs: Mapping[str, str]) -> str:
    path, words = next(iter(departs.items()))
    return f"departs by {path}, {words}"


def _nearest(job: Job, arm: Arm, search_path: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the table's arm from which a trial departs least, and how; empty if there is none."""
    first = {name: cell for cell, name in reversed(list(job.cells)) if cell.row.study == arm.study}
    found = {name: departures.of_arm(arm, cell, search_path) for name, cell in first.items()}
    return min(found.items(), key=lambda one: len(one[1]), default=("", {}))


def _seed(overrides: Sequence[str], settings: DictConfig) -> int:
    given = [text.partition("=")[2] for text in overrides if text.startswith(f"{SEED}=")]
    return int(given[-1]) if given else int(settings.seed)


def _refuse_twice(known: Sequence[Run], more: Sequence[Run]) -> None:
    there: dict[tuple[str, int], Run] = {(run.arm, run.seed): run for run in known}
    for run in more:
        other = there.setdefault((run.arm, run.seed), run)
        if other is not run:
            raise UserError(
                f"--from: {other.study}/{other.trial} and {run.study}/{run.trial} are both "
                f"{run.arm} under seed {run.seed}, which counts once; leave one study out."
            )
