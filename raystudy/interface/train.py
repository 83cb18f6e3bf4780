"""One trial in this process, without Ray."""

from collections.abc import Sequence
from dataclasses import replace

from omegaconf import DictConfig
from rich.text import Text

from raystudy import terminal
from raystudy.config import compose, recipe, scopes
from raystudy.config.output_dir import folder_of
from raystudy.config.spec import RECIPE, StudySpec
from raystudy.errors import EXIT_DONE, EXIT_FAILED, TrialStoppedError
from raystudy.interface.ended import Ended
from raystudy.search.search_space import SearchSpace
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


def start(name: str, overrides: Sequence[str], search_path: Sequence[str]) -> Ended:
    """Train in a new folder to the end, or until interrupted."""
    composed = compose.compose(name, overrides, search_path)
    settings = composed.config
    checked = check.check_plan(settings)
    output_dir = folder_of(settings)
    folder = create_study_folder(output_dir, f"train-{name}", settings.study.id)
    manifest = Manifest.start(
        "train",
        name,
        overrides,
        search_path,
        data=str(settings.data.name),
        study=compose.plain(settings.study),
        recipe=recipe.recipe_of(settings),
        images=images.cut_of(checked.splits),
        measured_on=checked.measured_on,
    )
    with folder.removed_unless_begun():
        folder.write_manifest(manifest)
        images.save(folder, checked.splits)
        for note in (*composed.notes, *checked.notes):
            terminal.console().print(Text(f"note: {note}"))
        return Ended(folder, _train(folder, settings, manifest, overrides, resumed=False))


def resume(folder: StudyFolder, manifest: Manifest, overrides: Sequence[str]) -> int:
    """Continue a training that was interrupted; return the exit code.

    Parameters
    ----------
    folder : StudyFolder
    manifest : Manifest
    overrides : sequence of str
        Of this command, added to the stored ones.
    """
    everything = [*manifest.overrides, *overrides]
    settings = compose.load(manifest.name, everything, manifest.search_path)
    folder.settle(settings)
    differences = continuation.refuse_changed(folder, manifest, settings)
    kept = scopes.select(overrides, scopes.KEPT)
    folder.write_manifest(manifest.continued(kept, differences))
    return _train(folder, settings, manifest, everything, resumed=True)


def _train(
    folder: StudyFolder,
    settings: DictConfig,
    manifest: Manifest,
    overrides: Sequence[str],
    *,
    resumed: bool,
) -> int:
    """Train from the last checkpoint, or from the start if there is none."""
    import torch

    from raystudy.trial.run import run_trial

    console = terminal.console()
    fixed = SearchSpace(distributions={}, published={}, overrides=tuple(overrides))
    spec = replace(StudySpec.read(settings.study), num_trials=1)
    study = StudyInfo.of(folder, fixed, spec, manifest, resumed=resumed)
    trial = TrialInfo(
        number=RECIPE,
        params={},
        overrides=tuple(overrides),
        folder=folder.trial(RECIPE).path,
        command=command.train(study.name, overrides, study.search_path),
        resumed=resumed,
    )
    opened = factory.opened(settings, console, parent_run=False)
    with folder.locked(), opened as trackers:
        console.print(Text(study.id, style="bold"), f" {trial.command}\nresults in {folder.path}")
        session = LocalSession(study, trial, trackers)
        # As many threads as on Ray: the last digits of a sum depend on their number.
        torch.set_num_threads(max(1, int(settings.scaling.cpus_per_worker)))
        with graceful(session.interrupt) as interruption:
            try:
                with session:
                    run_trial(settings, session)
            except TrialStoppedError:
                console.print(f"continue with: {folder.command('resume')}")
                return interruption.exit_code
            except Exception as error:
                if not (shortage := disk.shortage(error)):
                    raise
                message = disk.ending(folder.path, shortage, folder.command("resume"))
                console.print(message, style="red")
                return EXIT_FAILED
    summary = session.summary
    if summary is None or summary.state != "complete":
        if session.folder.error.exists():
            console.print(f"the traceback is in {session.folder.error}", style="red")
        return EXIT_FAILED
    return EXIT_DONE
