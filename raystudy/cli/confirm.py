"""``raystudy confirm``: a search's finalists against the published recipe, on fresh seeds."""

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
from raystudy.confirm.contenders import Contest
from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder, create_study_folder, open_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study import continuation, stored
from raystudy.study.plan import check
from raystudy.study.stored import StoredStudy
from raystudy.trial import images


def confirm(study_id: str, overrides: Sequence[str], *, top: int, seeds: int, as_json: bool) -> int:
    """Race the finalists and the recipe on fresh seeds; then read the test split, once.

    Parameters
    ----------
    study_id : str
        A search.
    overrides : sequence of str
        ``study.id``, ``study.budget``, ``study.num_trials`` (runs at most), ``output_dir`` and
        settings of scaling, tracker, device and evaluators; the finalists themselves run as they
        were found.
    top : int
        Finalists, the recipe not counted; 0 runs the recipe alone, for the noise floor.
    seeds : int
        Rounds at most.
    as_json : bool
        Print the content of ``confirm.json`` instead of tables.
    """
    changing = [text for text in overrides if override.path_of(text) != "study.id"]
    _check(f"confirm {study_id}", changing, (*scopes.CHANGEABLE, *scopes.FOR_EVERY_RUN))
    if top < 0:
        raise UserError(f"--top must be at least 0, got {top}.")
    if seeds < 2:
        raise UserError(f"--seeds must be at least 2, for one seed is no result; got {seeds}.")
    contenders.limits(overrides)
    output_dir = results_folder_among(overrides)
    own_id = [str(override.parse(t).value()) for t in override.named(overrides, "study.id")]
    confirm_id = own_id[-1] if own_id else f"{study_id}-{'confirm' if top else 'floor'}"
    console = terminal.console(stderr=as_json)
    if (output_dir / "studies" / confirm_id / "study.json").is_file():
        folder = open_study_folder(output_dir, confirm_id)
        _refuse_another(folder, study_id, top, seeds)
        return _go_on(console, folder, overrides, as_json=as_json)
    study = _searched(output_dir, study_id)
    continuation.refuse_changed_recipe(study.folder, study.manifest)
    more = scopes.select(overrides, scopes.FOR_EVERY_RUN)
    runners = finalists.choose(study, top=top, seeds=seeds, more=more)
    return _begin(console, confirm_id, study, runners, overrides, as_json=as_json)


def resume(folder: StudyFolder, overrides: Sequence[str]) -> int:
    """Go on with a confirm that was interrupted."""
    _check(f"resume {folder.id}", overrides, scopes.CHANGEABLE)
    return _go_on(terminal.console(), folder, overrides, as_json=False)


def _begin(
    console: Console,
    confirm_id: str,
    study: StoredStudy,
    runners: Contest,
    overrides: Sequence[str],
    *,
    as_json: bool,
) -> int:
    before = study.manifest
    inherited = _inherited(study, overrides)
    settings = stored.race_settings(replace(before, overrides=inherited))
    found = check.check(settings)
    images.refuse_others(study.folder, before, settings, found.splits)
    manifest = Manifest.begin(
        "confirm",
        before.name,
        inherited,
        before.search_path,
        data=study.data,
        study=_section(study, runners),
        recipe=recipe.of(settings),
        images=images.cut_of(found.splits),
        confirm=runners.plain(),
    )
    folder = create_study_folder(study.folder.path.parent.parent, confirm_id, confirm_id)
    with folder.removed_unless_begun():
        folder.write_manifest(manifest)
        images.save(folder, found.splits)
        display.show_plan(console, folder, study, settings, found)
        return run.run(console, folder, manifest, resumed=False, as_json=as_json)


def _go_on(
    console: Console, folder: StudyFolder, overrides: Sequence[str], *, as_json: bool
) -> int:
    if (summary := run.stored_summary(folder)) is not None:
        return display.show(console, folder, summary, as_json=as_json)
    manifest = folder.read_manifest()
    later = scopes.select(overrides, scopes.CHANGEABLE)
    settings = stored.race_settings(manifest, later)
    seen = continuation.refuse_changed(folder, manifest, settings)
    kept = scopes.select(later, scopes.KEPT)
    manifest = _moved(manifest.continued(kept, seen), kept)
    return run.run(console, folder, manifest, resumed=True, as_json=as_json, later=later)


def _check(command: str, overrides: Sequence[str], allowed: scopes.Scopes) -> None:
    if fixed := scopes.without(overrides, allowed):
        raise UserError(
            f"{command}: '{override.path_of(fixed[0])}' cannot change, for the finalists run as "
            f"they were found; only {scopes.paths(allowed)} can."
        )


def _searched(output_dir: Path, study_id: str) -> StoredStudy:
    study = StoredStudy.open(output_dir, study_id)
    if study.manifest.confirm is not None:
        of = study.manifest.confirm["study"]
        raise UserError(
            f"{study_id} confirms {of} already; give the search: "
            f"'{study.folder.command('confirm', of=of)}'."
        )
    if study.state == "running":
        raise UserError(
            f"{study_id} is still searching; wait for it, or end it by "
            f"'{study.folder.command('stop')}'."
        )
    return study


def _refuse_another(folder: StudyFolder, study_id: str, top: int, seeds: int) -> None:
    entry = folder.read_manifest().confirm
    if entry is None:
        raise UserError(f"study.id: '{folder.id}' is no confirm; choose another id.")
    begun = (entry["study"], entry["top"], len(entry["seeds"]))
    if begun != (study_id, top, seeds):
        raise UserError(
            f"{folder.id} was begun as 'confirm {begun[0]} --top {begun[1]} --seeds {begun[2]}', "
            f"and a race is not changed after a look at it; begin another one on fresh seeds by "
            f"adding study.id=NAME."
        )


def _inherited(study: StoredStudy, overrides: Sequence[str]) -> tuple[str, ...]:
    """Return what holds for every run of a confirm: the search's overrides, and its own."""
    inherited = scopes.select(study.manifest.overrides, scopes.INHERITED)
    return (*inherited, *(t for t in overrides if override.path_of(t) != "study.id"))


def _section(study: StoredStudy, runners: Contest) -> Mapping[str, Any]:
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
    """Return a confirm's manifest whose runs find the images where they are now."""
    if not (moved := scopes.select(later, [Scope.IMAGES])):
        return manifest
    runners = contenders.of(manifest)
    whole = {number: [*words, *moved] for number, words in runners.overrides.items()}
    return replace(manifest, confirm=replace(runners, overrides=whole).plain())
