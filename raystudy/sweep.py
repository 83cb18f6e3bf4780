"""``raystudy sweep`` and ``raystudy resume``: a study from its plan to its conclusion."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from raystudy import (
    conclusion,
    config,
    images,
    plan,
    recipe,
    terminal,
    tracking,
    train,
    unchanged,
)
from raystudy.confirm import verb as confirm
from raystudy.errors import EXIT_DONE, EXIT_FAILED, StudyStalledError, UserError
from raystudy.interrupt import graceful, pausable
from raystudy.manifest import Manifest
from raystudy.replay import CHANGEABLE, MOVABLE, pinned
from raystudy.search_space import SearchSpace
from raystudy.spec import StudySpec
from raystudy.stored import StoredStudy
from raystudy.study_folder import StudyFolder, create_study_folder, open_study_folder
from raystudy.trackers.base import StudyInfo

if TYPE_CHECKING:  # Optuna takes its time
    from raystudy.study import Study

KEPT = ("study.num_trials=", "study.budget.", *MOVABLE)  # of what a resume asks, for later ones


def sweep(
    name: str,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    dry_run: bool = False,
    as_json: bool = False,
) -> int:
    """Check, plan, search, conclude."""
    space, composed = SearchSpace.load(name, overrides, search_path)
    settings = composed.config
    spec = StudySpec.read(settings.study)
    findings = plan.check(settings)
    if dry_run:
        _foresee(name, space, settings, findings, search_path, as_json=as_json)
        return EXIT_DONE
    console = terminal.console()
    manifest = Manifest.begin(
        "sweep",
        name,
        overrides,
        search_path,
        data=str(settings.data.name),
        study=config.plain(settings.study),
        recipe=recipe.of(settings, space),
        images=images.cut_of(findings.splits),
        measured_on=measured_on(space, findings),
    )
    folder = create_study_folder(_output_dir(settings), spec.name, settings.study.id)
    try:
        folder.write_manifest(manifest)
        images.save(folder, findings.splits)
        plan.show(console, settings, space, findings, folder)
        return _run(console, folder, space, settings, manifest, resumed=False)
    except (UserError, OSError):
        folder.discard()
        raise


def _foresee(
    name: str,
    space: SearchSpace,
    settings: DictConfig,
    findings: plan.Findings,
    search_path: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Say how long it will take, after a few measured steps."""
    from raystudy import calibration, forecast, outlook

    manifest = Manifest(kind="sweep", name=name, search_path=tuple(search_path))
    nowhere = StudyFolder(_output_dir(settings) / "studies" / name)
    info = study_info(nowhere, space, settings, manifest, resumed=False)
    console = terminal.console()
    if not as_json:
        plan.show(console, settings, space, findings, None)
        console.print("measuring a few steps of the first trials ...", style="dim")
    first = calibration.first_trials(space, info, settings)
    measured = calibration.calibrate(settings, info, first)
    foreseen = forecast.foresee(space, info, settings, measured)
    if as_json:
        told = outlook.as_json(settings, space, findings, measured, foreseen, first)
        terminal.print_json(told)
    else:
        outlook.show(console, settings, measured, foreseen, first)


def resume(study_id: str, overrides: Sequence[str]) -> int:
    """Go on with what `sweep` or `train` left unfinished."""
    for path in config.pinned_paths(overrides):
        if not f"{path}=".startswith((*CHANGEABLE, *MOVABLE)):
            can = ", ".join(name.rstrip("=") for name in (*CHANGEABLE, *MOVABLE))
            raise UserError(
                f"resume {study_id}: '{path}' cannot change within a study; only {can} can. "
                f"Start another by 'raystudy sweep'."
            )
    folder = open_study_folder(_results(overrides), study_id)
    manifest = folder.read_manifest()
    if manifest.kind == "confirm":
        return confirm.resume(folder, overrides)
    if manifest.kind == "train":
        return train.resume(folder, manifest, overrides)
    everything = [*manifest.overrides, *overrides]
    space, composed = SearchSpace.load(manifest.name, everything, manifest.search_path)
    folder.settle(composed.config)
    seen = unchanged.refuse_changed(folder, manifest, composed.config, space)
    kept = [text for text in overrides if text.startswith(KEPT)]
    manifest = manifest.continued(kept, seen, config.plain(composed.config.study))
    return _run(terminal.console(), folder, space, composed.config, manifest, resumed=True)


def extend(study_id: str, overrides: Sequence[str]) -> int:
    """Go on with a study with more trials than it was begun with."""
    asked = [text for text in overrides if text.startswith("study.num_trials=")]
    if not asked:
        raise UserError(
            f"extend {study_id}: say by how much, such as study.num_trials=+32 (or to how many: "
            f"study.num_trials=64)."
        )
    output_dir = _results(overrides)
    now = StoredStudy.open(output_dir, study_id).spec.num_trials
    value = asked[-1].partition("=")[2]
    total = now + int(value) if re.fullmatch(r"\+\d+", value) else value
    if not str(total).isdigit() or int(total) <= now:
        raise UserError(
            f"study.num_trials must be above the {now} that {study_id} has, or +MORE; got {value}."
        )
    others = [text for text in overrides if text not in asked]
    return resume(study_id, [*others, f"study.num_trials={total}"])


class Pause:
    """A pause that is asked for, perhaps before the study is open."""

    def __init__(self) -> None:
        self._asked = False
        self._study: Study | None = None

    def ask(self) -> None:
        """Let no more trials begin."""
        self._asked = True
        if self._study is not None:
            self._study.paused = True

    def of(self, study: "Study") -> None:
        """Make this the study that is paused."""
        self._study = study
        study.paused = self._asked


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
    from raystudy.study import Study

    info = study_info(folder, space, settings, manifest, resumed=resumed)
    executor = RayExecutor(plan.read_scaling(settings))
    pause = Pause()
    with (
        pausable(pause.ask),
        folder.locked(),
        tracking.opened(settings, console) as trackers,
    ):
        folder.write_manifest(manifest)
        study = Study.open(
            info,
            space,
            sampler=config.plain(settings.sampler),
            trial_scheduler=config.plain(settings.trial_scheduler),
            trackers=trackers,
            storage_url=settings.study.storage,
            max_epochs=settings.max_epochs,
        )

        def end() -> None:
            study.interrupted = True

        pause.of(study)
        try:
            with study, graceful(end) as interruption:
                executor.run(study)
        except StudyStalledError as error:
            console.print(Text(str(error)), style="red")
            return EXIT_FAILED
        conclusion.show(console, study, settings)
    if not study.is_finished:
        return interruption.exit_code
    return EXIT_FAILED if study.failure else EXIT_DONE


def study_info(
    folder: StudyFolder,
    space: SearchSpace,
    settings: DictConfig,
    manifest: Manifest,
    *,
    resumed: bool,
) -> StudyInfo:
    """Return what trackers and trials are told of a study."""
    return StudyInfo(
        id=folder.id,
        folder=folder.path,
        name=manifest.name,
        overrides=pinned(space),
        dataset=settings.data.name,
        spec=StudySpec.read(settings.study),
        axes=space.axes,
        published=space.published,
        search_path=manifest.search_path,
        resumed=resumed,
        measured_on=manifest.measured_on,
    )


def measured_on(space: SearchSpace, findings: plan.Findings) -> Mapping[str, int]:
    """Return on how many images all trials are measured; nothing where the search varies that."""
    varied = {path.partition(".")[0] for path in space.distributions}
    return {} if varied & {"data", "evaluate"} else findings.measured_on


def _results(overrides: Sequence[str]) -> Path:
    """Return the results folder; where the images are, not every data set has a setting for."""
    shared = [text for text in overrides if not text.startswith(MOVABLE)]
    return _output_dir(config.load_shared(shared))


def _output_dir(settings: DictConfig) -> Path:
    return Path(settings.output_dir).expanduser().resolve()
