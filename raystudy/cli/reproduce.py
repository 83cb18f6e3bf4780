"""``raystudy reproduce``: a paper's table as a study, with verdicts on its cells and claims."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from raystudy import terminal
from raystudy.config import compose, override, recipe, scopes
from raystudy.config.output_dir import results_folder_among
from raystudy.config.scopes import Scope
from raystudy.errors import EXIT_DONE, UserError
from raystudy.evaluation import register
from raystudy.evaluation.published_table import Table
from raystudy.reproduce import arms, existing, outputs, overview, references, run
from raystudy.reproduce.arms import SMOKE
from raystudy.storage.file_names import readable
from raystudy.storage.folders import StudyFolder, create_study_folder, write_atomically
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ReproducePlan
from raystudy.study import continuation, stored
from raystudy.study.plan import check
from raystudy.study.stored import StoredStudy
from raystudy.trial import images

OBJECTIVE = "val/accuracy"  # which every method's evaluators measure; nothing is chosen by it
OF_ALL = (*scopes.CHANGEABLE, Scope.NAME)


def reproduce(
    table: str | None,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    tier: str,
    studies: Sequence[str] = (),
    page: str | None = None,
    save_reference: bool = False,
    as_json: bool = False,
) -> int:
    """Run a tier of a table, judge studies that exist, or list all tables.

    Parameters
    ----------
    table : str, optional
        Such as ``swaro/table8``; without one all are listed.
    overrides : sequence of str
        Of every training: departures from the paper. And of the study: ``study.id``,
        ``study.budget``, of scaling, tracker, results.
    search_path : sequence of str
    tier : str
    studies : sequence of str
        Judge these, and run nothing.
    page : str, optional
        Write one page over all tables to this file.
    save_reference : bool
        Keep what was run as the reference of this table and tier.
    as_json : bool
    """
    words = [*([table] if table and "=" in table else []), *studies, *overrides]
    settings = [word for word in words if "=" in word]
    studies = [word for word in studies if "=" not in word]
    table = None if table and "=" in table else table
    if page is not None or table is None:
        return _overview(settings, search_path, page, as_json=as_json)
    found = register.read(table, search_path)
    console = terminal.console(stderr=as_json)
    if studies:
        return _judge(console, found, studies, settings, search_path, save_reference, as_json)
    plan = _plan(found, tier, settings)
    of_all = scopes.select(settings, OF_ALL)
    code, folder = _start(console, plan, of_all, search_path, as_json=as_json)
    if save_reference and (folder.path / run.FILE).is_file():
        _save_reference(console, json.loads((folder.path / run.FILE).read_text()), search_path)
        return EXIT_DONE
    return code


def _overview(
    settings: Sequence[str], search_path: Sequence[str], page: str | None, *, as_json: bool
) -> int:
    output_dir = results_folder_among(settings)
    if page is not None:
        path = Path(page).expanduser()
        if path.is_dir() or not path.parent.is_dir():
            raise UserError(f"--page: {path} is no file in a folder that exists; name one.")
        write_atomically(path, readable(overview.page(output_dir, search_path)))
        terminal.console().print(str(path))
        return EXIT_DONE
    listed = overview.entries(output_dir, search_path)
    if as_json:
        terminal.print_json(listed)
    else:
        overview.show(terminal.console(), listed)
    return EXIT_DONE


def _judge(
    console: Console,
    table: Table,
    ids: Sequence[str],
    settings: Sequence[str],
    search_path: Sequence[str],
    save_reference: bool,
    as_json: bool,
) -> int:
    output_dir = results_folder_among(settings)
    twice = [one for one in dict.fromkeys(ids) if ids.count(one) > 1]
    if twice:
        raise UserError(f"--from: {twice[0]} is given twice, which counts once; give it once.")
    found = existing.judge(table, [StoredStudy.open(output_dir, one) for one in ids], search_path)
    reference = references.read(found["table"], found["tier"], search_path)
    found["reference"] = references.compare(found, reference)
    outputs.show(console, found, as_json=as_json)
    if save_reference:
        _save_reference(console, found, search_path)
    return EXIT_DONE


def _save_reference(console: Console, found: dict[str, Any], search_path: Sequence[str]) -> None:
    console.print(f"reference: {references.save(found, search_path)}")


def _plan(table: Table, tier: str, settings: Sequence[str]) -> ReproducePlan:
    """Return what is run, each arm with the user's own overrides last."""
    chosen = arms.tier_of(table, tier)
    _refuse_trials(table.name, settings)
    if override.named(settings, "seed"):
        raise UserError(f"seed: --tier {tier} of {table.name} runs seeds of its own; leave it out.")
    suite = scopes.select(settings, [Scope.SUITE])
    if suite:
        raise UserError(f"{suite[0]}: the table decides what measures it; leave it out.")
    more = [t for t in settings if scopes.of(t) not in OF_ALL or scopes.of(t) is Scope.IMAGES]
    job = arms.job_of(table, chosen, more, on_cpu=tier == SMOKE)
    seeds = tuple(range(chosen.seeds))
    return ReproducePlan(table=table.name, tier=tier, seeds=seeds, arms=job.arms)


def _refuse_trials(table: str, settings: Sequence[str]) -> None:
    if override.named(settings, "study.num_trials"):
        raise UserError(
            f"study.num_trials: a reproduction of {table} runs every arm under every seed; limit "
            f"it by study.budget."
        )


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


def _start(
    console: Console,
    plan: ReproducePlan,
    of_all: Sequence[str],
    search_path: Sequence[str],
    *,
    as_json: bool,
) -> tuple[int, StudyFolder]:
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
        code = run.run(console, folder, manifest, resumed=False, as_json=as_json)
    return code, folder


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
