"""``raystudy sweep`` and ``raystudy resume``: a study from its plan to its conclusion."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.console import Console

from raystudy import terminal
from raystudy.cli import conclusion, confirm, plan_table, train
from raystudy.config import compose, recipe, scaling
from raystudy.config.scopes import CHANGEABLE, MOVABLE
from raystudy.config.spec import StudySpec
from raystudy.errors import EXIT_DONE, EXIT_FAILED, UserError
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder, create_study_folder, open_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study import continuation
from raystudy.study.info import study_info
from raystudy.study.interrupt import graceful, pausable
from raystudy.study.plan import check
from raystudy.study.stored import StoredStudy
from raystudy.trackers import factory
from raystudy.trial import images

if TYPE_CHECKING:  # Optuna takes its time
    from raystudy.study.study import Study

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
    findings = check.check(settings)
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
        study=compose.plain(settings.study),
        recipe=recipe.of(settings, space.distributions),
        images=images.cut_of(findings.splits),
        measured_on=measured_on(space, findings),
    )
    folder = create_study_folder(_output_dir(settings), spec.name, settings.study.id)
    with folder.removed_unless_begun():
        folder.write_manifest(manifest)
        images.save(folder, findings.splits)
        plan_table.show(console, settings, space, findings, folder)
        return _run(console, folder, space, settings, manifest, resumed=False)


def _foresee(
    name: str,
    space: SearchSpace,
    settings: DictConfig,
    findings: check.Findings,
    search_path: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Say how long it will take, after a few measured steps."""
    from raystudy.cli import plan
    from raystudy.study.plan import calibration, forecast

    manifest = Manifest(kind="sweep", name=name, search_path=tuple(search_path))
    nowhere = StudyFolder(_output_dir(settings) / "studies" / name)
    info = study_info(nowhere, space, settings, manifest, resumed=False)
    console = terminal.console()
    if not as_json:
        plan_table.show(console, settings, space, findings, None)
        console.print("measuring a few steps of the first trials ...", style="dim")
    first = calibration.first_trials(space, info, settings)
    measured = calibration.calibrate(settings, info, first)
    foreseen = forecast.foresee(space, info, settings, measured)
    if as_json:
        told = plan.as_json(settings, space, findings, measured, foreseen, first)
        terminal.print_json(told)
    else:
        plan.show(console, settings, measured, foreseen, first)


def resume(study_id: str, overrides: Sequence[str]) -> int:
    """Go on with what `sweep` or `train` left unfinished."""
    for path in compose.pinned_paths(overrides):
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
    seen = continuation.refuse_changed(folder, manifest, composed.config, space)
    kept = [text for text in overrides if text.startswith(KEPT)]
    manifest = manifest.continued(kept, seen, compose.plain(composed.config.study))
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
    from raystudy.study.study import Study

    info = study_info(folder, space, settings, manifest, resumed=resumed)
    executor = RayExecutor(scaling.read_scaling(settings))
    pause = Pause()
    with (
        pausable(pause.ask),
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

        def end() -> None:
            study.interrupted = True

        pause.of(study)
        with study, graceful(end) as interruption:
            executor.run(study)
        conclusion.show(console, study, observers[1])
    if not study.is_finished:
        return interruption.exit_code
    return EXIT_FAILED if study.failure else EXIT_DONE


def measured_on(space: SearchSpace, findings: check.Findings) -> Mapping[str, int]:
    """Return on how many images all trials are measured; nothing where the search varies that."""
    varied = {path.partition(".")[0] for path in space.distributions}
    return {} if varied & {"data", "evaluate"} else findings.measured_on


def _results(overrides: Sequence[str]) -> Path:
    """Return the results folder; where the images are, not every data set has a setting for."""
    shared = [text for text in overrides if not text.startswith(MOVABLE)]
    return _output_dir(compose.load_shared(shared))


def _output_dir(settings: DictConfig) -> Path:
    return Path(settings.output_dir).expanduser().resolve()
