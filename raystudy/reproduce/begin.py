"""Begin a reproduction, a tier of a table as a study, or continue one."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from raystudy import terminal
from raystudy.config import compose, override, recipe, scopes
from raystudy.config.output_dir import results_folder_among
from raystudy.config.scopes import Scope
from raystudy.errors import UserError
from raystudy.evaluation.published_table import Table
from raystudy.reproduce import arms, measuring, run
from raystudy.reproduce.arms import SMOKE
from raystudy.storage.folders import StudyFolder, create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ReproducePlan
from raystudy.study import continuation, stored
from raystudy.study.plan import check
from raystudy.trial import images

OBJECTIVE = "val/accuracy"  # which every method's evaluators measure; nothing is chosen by it
OF_ALL = (*scopes.CHANGEABLE, Scope.NAME)


def start(
    console: Console,
    table: Table,
    tier: str,
    settings: Sequence[str],
    search_path: Sequence[str],
    *,
    seeds: Sequence[int] = (),
    rows: Sequence[str] = (),
    as_json: bool,
) -> tuple[int, StudyFolder]:
    """Run a tier of a table as a new study; return the exit code and where it is.

    Parameters
    ----------
    console : Console
    table : Table
    tier : str
    settings, search_path : sequence of str
    seeds : sequence of int
        Instead of the tier's own.
    rows : sequence of str
        Instead of all.
    as_json : bool
    """
    plan = _plan(table, tier, settings, seeds, rows)
    of_all = scopes.select(settings, OF_ALL)
    first = next(iter(plan.arms.values()))
    manifest = Manifest(
        kind="reproduce",
        name=first.study,
        overrides=tuple(of_all),
        search_path=tuple(search_path),
        reproduce=plan,
    )
    first_settings = stored.arm_settings(manifest)
    checked = _check(plan, of_all, search_path)
    measuring.refuse_missing(run.job_of(manifest), of_all, search_path)
    file = plan.table.replace("/", "-")
    manifest = Manifest.start(
        "reproduce",
        first.study,
        of_all,
        search_path,
        data=str(first_settings.data.name),
        study=_section(compose.plain(first_settings.study), plan, file),
        recipe=recipe.recipe_of(first_settings),
        images=images.cut_of(checked.splits),
        reproduce=plan,
        arm_recipes=_arm_recipes(manifest, plan, recipe.recipe_of(first_settings)),
    )
    folder = create_study_folder(
        results_folder_among(of_all), f"{file}-{plan.tier}", first_settings.study.id
    )
    with folder.removed_unless_begun():
        folder.write_manifest(manifest)
        images.save(folder, checked.splits)
        runs = len(plan.arms) * len(plan.seeds)
        console.print(Text(folder.id, style="bold"), f" {runs} trainings: {', '.join(plan.arms)}")
        code = run.run(console, folder, manifest, resumed=False, as_json=as_json)
    return code, folder


def resume(folder: StudyFolder, overrides: Sequence[str]) -> int:
    """Continue an interrupted reproduction."""
    manifest = folder.read_manifest()
    _refuse_trials(run.plan_of(manifest).table, overrides)
    later = scopes.select(overrides, scopes.CHANGEABLE)
    settings = stored.arm_settings(manifest, later)
    cut = continuation.refuse_changed(folder, manifest, settings)
    manifest = manifest.continued(scopes.select(later, scopes.KEPT), cut)
    console = terminal.console()
    return run.run(console, folder, manifest, resumed=True, as_json=False, later=later)


def _plan(
    table: Table, tier: str, settings: Sequence[str], seeds: Sequence[int], rows: Sequence[str]
) -> ReproducePlan:
    """Return what is run, each arm with the user's own overrides last."""
    chosen = arms.tier_of(table, tier)
    _refuse_trials(table.name, settings)
    if override.named(settings, "seed"):
        raise UserError(
            f"seed: --tier {tier} of {table.name} runs seeds of its own; leave it out, or choose "
            f"them by --seed."
        )
    suite = scopes.select(settings, [Scope.SUITE])
    if suite:
        raise UserError(f"{suite[0]}: the table decides what measures it; leave it out.")
    more = [t for t in settings if scopes.of(t) not in OF_ALL or scopes.of(t) is Scope.IMAGES]
    job = arms.job_of(table, chosen, more, on_cpu=tier == SMOKE)
    return ReproducePlan(
        table=table.name,
        tier=tier,
        seeds=tuple(seeds) or tuple(range(chosen.seeds)),
        arms=arms.of_rows(job, rows) if rows else job.arms,
    )


def _refuse_trials(table: str, settings: Sequence[str]) -> None:
    if override.named(settings, "study.num_trials"):
        raise UserError(
            f"study.num_trials: a reproduction of {table} runs every arm under every seed; limit "
            f"it by study.budget."
        )


def _arm_recipes(
    manifest: Manifest, plan: ReproducePlan, first: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return in what each arm's recipe differs from the first's."""
    return {
        name: recipe.relative(recipe.recipe_of(stored.arm_settings(manifest, name=name)), first)
        for name in plan.arms
    }


def _check(
    plan: ReproducePlan, of_all: Sequence[str], search_path: Sequence[str]
) -> check.Findings:
    """Build an arm of each method before anything starts; return what the first is trained on."""
    first: dict[str, check.Findings] = {}
    for arm in plan.arms.values():
        if arm.study not in first:
            overrides = [*arm.overrides, *of_all, "trial_scheduler=none"]
            first[arm.study] = check.check_plan(compose.load(arm.study, overrides, search_path))
    return next(iter(first.values()))


def _section(section: dict[str, Any], plan: ReproducePlan, name: str) -> dict[str, Any]:
    """Return a reproduction's `study:` section."""
    kept = ("budget", "max_failures", "stall_minutes")
    return {
        "name": name,
        "objectives": [{"metric": OBJECTIVE}],
        "num_trials": len(plan.arms) * len(plan.seeds),
        **{key: section[key] for key in kept},
    }
