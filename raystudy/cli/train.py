"""``raystudy train``: one trial in this process, without Ray."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.text import Text

from raystudy import terminal
from raystudy.config import compose, recipe
from raystudy.config.scopes import MOVABLE
from raystudy.config.spec import StudySpec
from raystudy.errors import EXIT_DONE, EXIT_FAILED, TrialStoppedError
from raystudy.storage import disk
from raystudy.storage.folders import StudyFolder, create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study import command, continuation
from raystudy.study.info import StudyInfo
from raystudy.study.interrupt import graceful
from raystudy.study.local_session import LocalSession
from raystudy.study.plan import check
from raystudy.trackers import factory
from raystudy.trial import images
from raystudy.trial.info import TrialInfo

FIRST_TRIAL = 0


def train(name: str, overrides: Sequence[str], search_path: Sequence[str]) -> int:
    """Train from the beginning in a folder of its own."""
    settings = compose.load(name, overrides, search_path)
    found = check.check(settings)
    output_dir = Path(settings.output_dir).expanduser().resolve()
    folder = create_study_folder(output_dir, f"train-{name}", settings.study.id)
    manifest = Manifest.begin(
        "train",
        name,
        overrides,
        search_path,
        data=str(settings.data.name),
        study=compose.plain(settings.study),
        recipe=recipe.of(settings),
        images=images.cut_of(found.splits),
        measured_on=found.measured_on,
    )
    with folder.removed_unless_begun():
        folder.write_manifest(manifest)
        images.save(folder, found.splits)
        for note in found.notes:
            terminal.console().print(Text(f"note: {note}"))
        return _go_on(folder, settings, manifest, overrides, resumed=False)


def resume(folder: StudyFolder, manifest: Manifest, overrides: Sequence[str]) -> int:
    """Go on with what `train` left unfinished.

    Parameters
    ----------
    folder : StudyFolder
    manifest : Manifest
    overrides : sequence of str
        What is asked for now.
    """
    everything = [*manifest.overrides, *overrides]
    settings = compose.load(manifest.name, everything, manifest.search_path)
    folder.settle(settings)
    seen = continuation.refuse_changed(folder, manifest, settings)
    kept = [text for text in overrides if text.startswith(MOVABLE)]
    folder.write_manifest(manifest.continued(kept, seen))
    return _go_on(folder, settings, manifest, everything, resumed=True)


def _go_on(
    folder: StudyFolder,
    settings: DictConfig,
    manifest: Manifest,
    overrides: Sequence[str],
    *,
    resumed: bool,
) -> int:
    """Train from the last checkpoint, or from the beginning where there is none."""
    import torch

    from raystudy.trial.run import run_trial

    console = terminal.console()
    study = _study(folder, settings, manifest, overrides, resumed=resumed)
    trial = TrialInfo(
        number=FIRST_TRIAL,
        params={},
        overrides=tuple(overrides),
        folder=folder.trial(FIRST_TRIAL).path,
        command=command.train(study.name, overrides, study.search_path),
        resumed=resumed,
    )
    opened = factory.opened(settings, console, parent_run=False)
    with folder.locked(), opened as trackers:
        console.print(Text(study.id, style="bold"), f" {trial.command}\nresults in {folder.path}")
        session = LocalSession(study, trial, trackers)
        # As many threads as a trial has on Ray: the last digits of a sum depend on it.
        torch.set_num_threads(max(1, int(settings.scaling.cpus_per_worker)))
        with graceful(session.interrupt) as interruption:
            try:
                with session:
                    run_trial(settings, session)
            except TrialStoppedError:
                console.print(f"go on with: {folder.command('resume')}")
                return interruption.exit_code
            except Exception as error:
                if not (shortage := disk.shortage(error)):
                    raise
                words = disk.ending(folder.path, shortage, folder.command("resume"))
                console.print(words, style="red")
                return EXIT_FAILED
    summary = session.summary
    if summary is None or summary.state != "complete":
        if session.folder.error.exists():
            console.print(f"the traceback is in {session.folder.error}", style="red")
        return EXIT_FAILED
    return EXIT_DONE


def _study(
    folder: StudyFolder,
    settings: DictConfig,
    manifest: Manifest,
    overrides: Sequence[str],
    *,
    resumed: bool,
) -> StudyInfo:
    return StudyInfo(
        id=folder.id,
        folder=folder.path,
        name=manifest.name,
        overrides=tuple(overrides),
        dataset=settings.data.name,
        spec=StudySpec.read(settings.study),
        axes={},
        published={},
        search_path=tuple(manifest.search_path),
        resumed=resumed,
    )
