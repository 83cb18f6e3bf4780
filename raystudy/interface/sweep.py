"""A search from its plan to its conclusion."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.console import Console

from raystudy import terminal
from raystudy.config import compose, recipe, scaling, scopes
from raystudy.config.output_dir import folder_of
from raystudy.config.spec import StudySpec
from raystudy.errors import EXIT_DONE, EXIT_FAILED
from raystudy.interface import conclusion, plan_table
from raystudy.interface.ended import Ended
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder, create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study import continuation
from raystudy.study.info import StudyInfo
from raystudy.study.interrupt import graceful, pausable
from raystudy.study.plan import check
from raystudy.trackers import factory
from raystudy.trial import images

if TYPE_CHECKING:  # Optuna is slow to import
    from raystudy.study.study import Study


def start(name: str, overrides: Sequence[str], search_path: Sequence[str]) -> Ended:
    """Check, plan, search and conclude a new study."""
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
        return Ended(folder, _run(console, folder, space, settings, manifest, resumed=False))


def resume(folder: StudyFolder, manifest: Manifest, overrides: Sequence[str]) -> int:
    """Continue a search that was interrupted, or shall have more trials; return the exit code.

    Parameters
    ----------
    folder : StudyFolder
    manifest : Manifest
    overrides : sequence of str
        Of this command, added to the stored ones.
    """
    everything = [*manifest.overrides, *overrides]
    space, composed = SearchSpace.load(manifest.name, everything, manifest.search_path)
    folder.settle(composed.config)
    differences = continuation.refuse_changed(folder, manifest, composed.config, space)
    kept = scopes.select(overrides, scopes.KEPT)
    manifest = manifest.continued(kept, differences, compose.plain(composed.config.study))
    return _run(terminal.console(), folder, space, composed.config, manifest, resumed=True)


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
