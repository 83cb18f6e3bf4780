"""``raystudy sweep``, ``resume`` and ``extend``: a study from its plan to its conclusion."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.console import Console

from raystudy import terminal
from raystudy.cli import conclusion, confirm, plan, plan_table, train
from raystudy.config import compose, override, recipe, scaling, scopes
from raystudy.config.output_dir import folder_of, results_folder_among
from raystudy.config.spec import StudySpec
from raystudy.errors import EXIT_DONE, EXIT_FAILED, UserError
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder, create_study_folder, open_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study import continuation
from raystudy.study.info import StudyInfo
from raystudy.study.interrupt import graceful, pausable
from raystudy.study.plan import check
from raystudy.study.stored import StoredStudy
from raystudy.trackers import factory
from raystudy.trial import images

if TYPE_CHECKING:  # Optuna is slow to import
    from raystudy.study.study import Study


def sweep(
    name: str,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    dry_run: bool = False,
) -> int:
    """Check, plan, search, conclude."""
    if dry_run:
        return plan.plan(name, overrides, search_path, as_json=False)
    return start(name, overrides, search_path)[1]


def start(
    name: str, overrides: Sequence[str], search_path: Sequence[str]
) -> tuple[StudyFolder, int]:
    """Run a new study to its end, or until it is interrupted; return it and the exit code."""
    space, composed = SearchSpace.load(name, overrides, search_path)
    settings = composed.config
    spec = StudySpec.read(settings.study)
    checked = check.check_plan(settings)
    console = terminal.console()
    manifest = Manifest.start(
        "sweep",
        name,
        overrides,
        search_path,
        data=str(settings.data.name),
        study=compose.plain(settings.study),
        recipe=recipe.recipe_of(settings, space.distributions),
        images=images.cut_of(checked.splits),
        measured_on=measured_on(space, checked),
    )
    folder = create_study_folder(folder_of(settings), spec.name, settings.study.id)
    with folder.removed_unless_begun():
        folder.write_manifest(manifest)
        images.save(folder, checked.splits)
        plan_table.show(console, settings, space, checked, folder)
        return folder, _run(console, folder, space, settings, manifest, resumed=False)


def resume(study_id: str, overrides: Sequence[str]) -> int:
    """Continue what `sweep`, `train`, `confirm` or `reproduce` left unfinished."""
    if fixed := scopes.without(overrides, scopes.CHANGEABLE):
        raise UserError(
            f"resume {study_id}: '{override.path_of(fixed[0])}' cannot change within a study; only "
            f"{scopes.paths(scopes.CHANGEABLE)} can. Start another study with 'raystudy sweep'."
        )
    folder = open_study_folder(results_folder_among(overrides), study_id)
    manifest = folder.read_manifest()
    if manifest.kind == "confirm":
        return confirm.resume(folder, overrides)
    if manifest.kind == "reproduce":
        from raystudy.cli import reproduce  # torchvision, and torch's compiler: 2 s

        return reproduce.resume(folder, overrides)
    if manifest.kind == "train":
        return train.resume(folder, manifest, overrides)
    everything = [*manifest.overrides, *overrides]
    space, composed = SearchSpace.load(manifest.name, everything, manifest.search_path)
    folder.settle(composed.config)
    differences = continuation.refuse_changed(folder, manifest, composed.config, space)
    kept = scopes.select(overrides, scopes.KEPT)
    manifest = manifest.continued(kept, differences, compose.plain(composed.config.study))
    return _run(terminal.console(), folder, space, composed.config, manifest, resumed=True)


def extend(study_id: str, overrides: Sequence[str]) -> int:
    """Continue a study with more trials than it has."""
    asked = override.named(overrides, "study.num_trials")
    if not asked:
        raise UserError(
            f"extend {study_id}: give the number of trials to add, such as study.num_trials=+32, "
            f"or the total, such as study.num_trials=64."
        )
    output_dir = results_folder_among(overrides)
    now = StoredStudy.open(output_dir, study_id).spec.num_trials
    value = override.value_of(asked[-1])
    total = now + int(value) if re.fullmatch(r"\+\d+", value) else value
    if not str(total).isdigit() or int(total) <= now:
        raise UserError(
            f"study.num_trials must be above the {now} that {study_id} has, or +MORE; got {value}."
        )
    others = [text for text in overrides if text not in asked]
    return resume(study_id, [*others, f"study.num_trials={total}"])


class Pause:
    """A request to pause, which may arrive before the study is open."""

    def __init__(self) -> None:
        self._requested = False
        self._study: Study | None = None

    def request(self) -> None:
        """Launch no more trials."""
        self._requested = True
        if self._study is not None:
            self._study.paused = True

    def attach(self, study: "Study") -> None:
        """Set the study to pause."""
        self._study = study
        study.paused = self._requested


def _run(
    console: Console,
    folder: StudyFolder,
    space: SearchSpace,
    settings: DictConfig,
    manifest: Manifest,
    *,
    resumed: bool,
) -> int:
    from raystudy.on_ray.executor import RayExecutor
    from raystudy.study.study import Study

    info = StudyInfo.of(folder, space, StudySpec.read(settings.study), manifest, resumed=resumed)
    executor = RayExecutor(scaling.read_scaling(settings))
    pause = Pause()
    with (
        pausable(pause.request),
        folder.locked(),
        factory.opened(settings, console) as observers,
    ):
        folder.write_manifest(manifest)
        study = Study.open(
            info,
            space,
            sampler=compose.plain(settings.sampler),
            trial_scheduler=compose.plain(settings.trial_scheduler),
            trackers=observers,
            storage_url=settings.study.storage,
            max_epochs=settings.max_epochs,
        )

        def interrupt() -> None:
            study.interrupted = True

        pause.attach(study)
        with study, graceful(interrupt) as interruption:
            executor.run(study)
        conclusion.show(console, study, observers[1])
    if not study.is_finished:
        return interruption.exit_code
    return EXIT_FAILED if study.failure else EXIT_DONE


def measured_on(space: SearchSpace, checked: check.Findings) -> Mapping[str, int]:
    """Return on how many images each metric of all trials is measured, if the search fixes it."""
    varied = {path.partition(".")[0] for path in space.distributions}
    return {} if varied & {"data", "evaluate"} else checked.measured_on
