"""``raystudy reproduce``: a paper's table as a study, with verdicts on its cells and claims."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from raystudy import terminal
from raystudy.config import compose, override, recipe, scopes
from raystudy.config.output_dir import results_folder_among
from raystudy.config.scopes import Scope
from raystudy.errors import UserError
from raystudy.evaluation import register
from raystudy.reproduce import arms, run
from raystudy.reproduce.arms import SMOKE
from raystudy.storage.folders import StudyFolder, create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ReproducePlan
from raystudy.study import stored
from raystudy.study.plan import check
from raystudy.trial import images

OBJECTIVE = "val/accuracy"  # which every method's evaluators measure; nothing is chosen by it
OF_ALL = (*scopes.CHANGEABLE, Scope.NAME)


def reproduce(
    table: str | None,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    tier: str,
    as_json: bool,
) -> int:
    """Run a tier of a table, or list all tables."""
    found = register.read(str(table), search_path)
    of_all = scopes.select(overrides, OF_ALL)
    if any(override.path_of(text) == "study.num_trials" for text in of_all):
        raise UserError(
            f"study.num_trials: a reproduction runs every arm of {found.name} under every seed; "
            f"limit it by study.budget."
        )
    chosen = arms.tier_of(found, tier)
    more = scopes.without(overrides, OF_ALL) + scopes.select(of_all, [Scope.IMAGES])
    job = arms.job_of(found, chosen, more, on_cpu=tier == SMOKE)
    plan = ReproducePlan(
        table=found.name, tier=tier, seeds=tuple(range(chosen.seeds)), arms=job.arms
    )
    console = terminal.console(stderr=as_json)
    return _start(console, plan, of_all, search_path, as_json=as_json)


def resume(folder: StudyFolder, overrides: Sequence[str]) -> int:
    """Continue an interrupted reproduction."""
    manifest = folder.read_manifest()
    later = scopes.select(overrides, scopes.CHANGEABLE)
    settings = stored.arm_settings(manifest, later)
    recipe.refuse_another(folder.id, manifest.recipe, settings)
    cut = manifest.images
    assert cut is not None
    manifest = manifest.continued(scopes.select(later, scopes.KEPT), cut)
    console = terminal.console()
    return run.run(console, folder, manifest, resumed=True, as_json=False, later=later)


def _start(
    console: Console,
    plan: ReproducePlan,
    of_all: Sequence[str],
    search_path: Sequence[str],
    *,
    as_json: bool,
) -> int:
    first = next(iter(plan.arms.values()))
    manifest = Manifest(
        kind="reproduce",
        name=first.study,
        overrides=tuple(of_all),
        search_path=tuple(search_path),
        reproduce=plan,
    )
    settings = stored.arm_settings(manifest)
    checked = _check(plan, of_all, search_path)
    file = plan.table.replace("/", "-")
    manifest = Manifest.start(
        "reproduce",
        first.study,
        of_all,
        search_path,
        data=str(settings.data.name),
        study=_section(compose.plain(settings.study), plan, file),
        recipe=recipe.recipe_of(settings),
        images=images.cut_of(checked.splits),
        reproduce=plan,
    )
    folder = create_study_folder(
        results_folder_among(of_all), f"{file}-{plan.tier}", settings.study.id
    )
    with folder.removed_unless_begun():
        folder.write_manifest(manifest)
        images.save(folder, checked.splits)
        runs = len(plan.arms) * len(plan.seeds)
        console.print(Text(folder.id, style="bold"), f" {runs} trainings: {', '.join(plan.arms)}")
        return run.run(console, folder, manifest, resumed=False, as_json=as_json)


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
