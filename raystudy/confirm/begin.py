"""Begin a confirm, a search's finalists against its recipe on fresh seeds, or continue one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from raystudy import terminal
from raystudy.config import override, recipe, scopes
from raystudy.config.output_dir import results_folder_among
from raystudy.config.scopes import Scope
from raystudy.confirm import contenders, display, finalists, run
from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder, create_study_folder, open_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ConfirmPlan
from raystudy.study import continuation, stored
from raystudy.study.plan import check
from raystudy.study.stored import StoredStudy
from raystudy.trial import images


def confirm(
    console: Console,
    study_id: str,
    overrides: Sequence[str],
    *,
    top: int,
    seeds: int,
    as_json: bool,
) -> int:
    """Race the finalists and the recipe on fresh seeds, then read the test split once.

    Parameters
    ----------
    console : Console
    study_id : str
        A search.
    overrides : sequence of str
        ``study.id``, ``study.budget``, ``study.num_trials`` (maximum number of runs),
        ``output_dir`` and settings of scaling, tracker, device and evaluators; the settings of the
        finalists themselves are fixed.
    top : int
        Finalists, the recipe not counted; 0 runs the recipe alone, to measure the seed-to-seed
        noise.
    seeds : int
        Maximum number of seeds of each.
    as_json : bool
        Print the content of ``confirm.json`` instead of tables.
    """
    changing = [text for text in overrides if override.path_of(text) != "study.id"]
    _refuse_fixed(f"confirm {study_id}", changing, (*scopes.CHANGEABLE, *scopes.FOR_EVERY_RUN))
    contenders.limits(overrides)
    output_dir = results_folder_among(overrides)
    given_ids = [str(override.parse(t).value()) for t in override.named(overrides, "study.id")]
    confirm_id = given_ids[-1] if given_ids else f"{study_id}-{'confirm' if top else 'floor'}"
    if (output_dir / "studies" / confirm_id / "study.json").is_file():
        folder = open_study_folder(output_dir, confirm_id)
        _require_same_race(folder, study_id, top, seeds)
        return _continue(console, folder, overrides, as_json=as_json)
    study = _open_search(output_dir, study_id)
    continuation.refuse_changed_recipe(study.folder, study.manifest)
    more = scopes.select(overrides, scopes.FOR_EVERY_RUN)
    runners = finalists.choose(study, top=top, seeds=seeds, more=more)
    return _start(console, confirm_id, study, runners, overrides, as_json=as_json)


def resume(folder: StudyFolder, overrides: Sequence[str]) -> int:
    """Continue an interrupted confirm."""
    _refuse_fixed(f"resume {folder.id}", overrides, scopes.CHANGEABLE)
    return _continue(terminal.console(), folder, overrides, as_json=False)


def _start(
    console: Console,
    confirm_id: str,
    study: StoredStudy,
    runners: ConfirmPlan,
    overrides: Sequence[str],
    *,
    as_json: bool,
) -> int:
    search = study.manifest
    inherited = _inherited(study, overrides)
    settings = stored.race_settings(replace(search, overrides=inherited))
    checked = check.check_plan(settings)
    images.refuse_others(study.folder, search, settings, checked.splits)
    manifest = Manifest.start(
        "confirm",
        search.name,
        inherited,
        search.search_path,
        data=study.data,
        study=_section(study, runners),
        recipe=recipe.recipe_of(settings),
        images=images.cut_of(checked.splits),
        confirm=runners,
    )
    folder = create_study_folder(study.folder.path.parent.parent, confirm_id, confirm_id)
    with folder.removed_unless_begun():
        folder.write_manifest(manifest)
        images.save(folder, checked.splits)
        display.show_plan(console, folder, study, settings, checked)
        return run.run(console, folder, manifest, resumed=False, as_json=as_json)


def _continue(
    console: Console, folder: StudyFolder, overrides: Sequence[str], *, as_json: bool
) -> int:
    if (summary := run.stored_summary(folder)) is not None:
        return display.show_result(console, folder, summary, as_json=as_json)
    manifest = folder.read_manifest()
    later = scopes.select(overrides, scopes.CHANGEABLE)
    settings = stored.race_settings(manifest, later)
    differences = continuation.refuse_changed(folder, manifest, settings)
    kept = scopes.select(later, scopes.KEPT)
    manifest = _moved(manifest.continued(kept, differences), kept)
    return run.run(console, folder, manifest, resumed=True, as_json=as_json, later=later)


def _refuse_fixed(command: str, overrides: Sequence[str], allowed: scopes.Scopes) -> None:
    if fixed := scopes.without(overrides, allowed):
        raise UserError(
            f"{command}: '{override.path_of(fixed[0])}' cannot change, because the finalists' "
            f"settings are fixed; only {scopes.paths(allowed)} can."
        )


def _open_search(output_dir: Path, study_id: str) -> StoredStudy:
    study = StoredStudy.open(output_dir, study_id)
    if study.manifest.confirm is not None:
        searched = study.manifest.confirm.study
        raise UserError(
            f"{study_id} is itself the confirm of {searched}; give the search: "
            f"'{study.folder.command('confirm', of=searched)}'."
        )
    if study.manifest.reproduce is not None:
        raise UserError(
            f"{study_id} is a reproduction of {study.manifest.reproduce.table}, which has no "
            f"finalists; give a search."
        )
    if study.state == "running":
        raise UserError(
            f"{study_id} is still running; wait for it, or stop it with "
            f"'{study.folder.command('stop')}'."
        )
    return study


def _require_same_race(folder: StudyFolder, study_id: str, top: int, seeds: int) -> None:
    entry = folder.read_manifest().confirm
    if entry is None:
        raise UserError(f"study.id: '{folder.id}' is not a confirm; choose another id.")
    stored = (entry.study, entry.top, len(entry.seeds))
    if stored != (study_id, top, seeds):
        raise UserError(
            f"{folder.id} was started as 'confirm {stored[0]} --top {stored[1]} --seeds "
            f"{stored[2]}', and changing a race after seeing its results would bias it; start "
            f"another one on fresh seeds by adding study.id=NAME."
        )


def _inherited(study: StoredStudy, overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the overrides of every run of a confirm: the search's, then the confirm's."""
    inherited = scopes.select(study.manifest.overrides, scopes.INHERITED)
    return (*inherited, *(t for t in overrides if override.path_of(t) != "study.id"))


def _section(study: StoredStudy, runners: ConfirmPlan) -> Mapping[str, Any]:
    """Return a confirm's `study:` section."""
    spec = study.spec
    return {
        "name": spec.name,
        "objectives": [asdict(objective) for objective in spec.objectives],
        "num_trials": len(runners.params) * len(runners.seeds),
        "max_failures": spec.max_failures,
        "stall_minutes": spec.stall_minutes,
    }


def _moved(manifest: Manifest, later: Sequence[str]) -> Manifest:
    """Return a confirm's manifest whose runs read the images from their new folder."""
    if not (moved := scopes.select(later, [Scope.IMAGES])):
        return manifest
    runners = contenders.plan_of(manifest)
    overrides = {number: [*own, *moved] for number, own in runners.overrides.items()}
    return replace(manifest, confirm=replace(runners, overrides=overrides))
