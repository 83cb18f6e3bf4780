"""Where a study keeps what it must not lose.

::

    <output_dir>/mlflow.db, artifacts/        MLflow's store
    <output_dir>/studies/swaro-3/
        study.json      name, overrides, recipe, drivers: what `resume` needs, see `Manifest`
        images.npz      what each image was, to say later which ones changed
        journal.log     Optuna's journal: the study's truth, written by the driver alone
        lock            held by the driver that runs the study, whose host and process it names
        request         what another machine asks of that driver: stop, pause
        waiting.json    what the driver waits for
        mlflow.spool    events for MLflow; mlflow.delivered says how far they got, and the process
                        that uploads them holds mlflow.lock
        mlflow.files/   copies of what was added to runs later: reports, pictures, evaluations
        tensorboard/    event files, with tracker=tensorboard
        trials/0007/    config.yaml, last.ckpt, best.safetensors (and best-*.safetensors by further
                        objectives), host.txt, error.txt, stop (a request)
        confirm.json    what its race came to; floor.json: the noise floor of its recipe
        ray/            Ray Tune's own files, of no use once the study has ended
"""

import contextlib
import difflib
import errno
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from raystudy.errors import UserError
from raystudy.storage import disk, file_names, lock, manifest
from raystudy.storage.manifest import Manifest
from raystudy.storage.output_dir import default, resolve

SHOWN = 8  # ids in a sentence


def command(verb: str, *words: str, output_dir: Path) -> str:
    """Return a command line about results in `output_dir`, which is named where it must be."""
    folder = resolve(output_dir)
    if folder != resolve(default()):
        # What Hydra would take for a reference to another setting is part of a name here.
        escaped = str(folder).replace("${", r"\${")
        words = (*words, f"output_dir={escaped}")
    return shlex.join(["raystudy", verb, *words])


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content, or leave the old one if the process dies on the way."""
    with disk.replacing(path) as file:
        file.write(text.encode(errors=file_names.ANY))


@dataclass(frozen=True)
class TrialFolder:
    """The files of one trial."""

    path: Path

    @property
    def study(self) -> "StudyFolder":
        """The study it belongs to."""
        return StudyFolder(self.path.parents[1])

    @property
    def config(self) -> Path:
        """Resolved configuration."""
        return self.path / "config.yaml"

    @property
    def last_checkpoint(self) -> Path:
        """Everything needed to continue after the last finished epoch."""
        return self.path / "last.ckpt"

    @property
    def inner_checkpoint(self) -> Path:
        """The same inside the epoch after it, if ``checkpoint_batches`` is set."""
        return self.path / "inside.ckpt"

    @property
    def best_weights(self) -> Path:
        """The method's weights at the best epoch of the first objective."""
        return self.path / "best.safetensors"

    @property
    def error(self) -> Path:
        """Traceback of a failed trial."""
        return self.path / "error.txt"

    @property
    def stop(self) -> Path:
        """Exists when the trial shall end itself after its current epoch."""
        return self.path / "stop"

    @property
    def log(self) -> Path:
        """What the trial's process printed."""
        return self.path / "log.txt"

    @property
    def host(self) -> Path:
        """Names of the machines that run it, or ran it last; none while it waits for one."""
        return self.path / "host.txt"

    @property
    def hosts(self) -> str:
        """The machines in words; empty: none yet."""
        with contextlib.suppress(OSError):
            return self.host.read_text().strip()
        return ""


@dataclass(frozen=True)
class StudyFolder:
    """The files of one study."""

    path: Path

    @property
    def id(self) -> str:
        """The study's name on the command line."""
        return self.path.name

    @property
    def home(self) -> Path:
        """The results folder that the study is in now, wherever it was started."""
        return self.path.absolute().parents[1]

    def command(self, verb: str, *words: str, of: str | None = None) -> str:
        """Return ``raystudy VERB STUDY ...``, quoted for the shell, wherever results are.

        Parameters
        ----------
        verb : str
        words : str
            What follows the study's id.
        of : str, optional
            Another study beside it, or ``STUDY/TRIAL``, instead of its id.
        """
        return command(verb, of or self.id, *words, output_dir=self.home)

    @property
    def journal(self) -> Path:
        """Optuna's journal."""
        return self.path / "journal.log"

    @property
    def spool(self) -> Path:
        """Events waiting for MLflow."""
        return self.path / "mlflow.spool"

    @property
    def waiting(self) -> Path:
        """What the running study waits for, see `storage.waiting`."""
        return self.path / "waiting.json"

    @property
    def ray(self) -> Path:
        """Ray Tune's own files."""
        return self.path / "ray"

    def settle(self, settings: DictConfig) -> None:
        """Let `output_dir` say where the study is now: its folder may have been moved."""
        if resolve(settings.output_dir) != self.home:
            settings.output_dir = str(self.home)

    def trial(self, number: int) -> TrialFolder:
        """Return the folder of a trial."""
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def write_manifest(self, manifest: Manifest) -> None:
        """Write ``study.json``."""
        text = json.dumps(manifest.plain(), indent=2)
        write_atomically(self.path / "study.json", f"{text}\n")

    def read_manifest(self) -> Manifest:
        """Read ``study.json``."""
        return manifest.load(self.path / "study.json")

    @contextmanager
    def removed_unless_begun(self) -> Iterator[None]:
        """Remove the folder of a new study that an error ends before its first trial starts."""
        try:
            yield
        except BaseException:
            if not self.path.joinpath("trials").exists():
                shutil.rmtree(self.path, ignore_errors=True)
            raise

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the study for this process, so that no second driver runs it."""
        try:
            with lock.held(self.path):
                yield
        except lock.HeldError:
            raise UserError(
                f"study '{self.id}' is being run by another process ({lock.owner(self.path)}); "
                f"'{self.command('status', '-f')}' follows it, '{self.command('stop')}' ends it."
            ) from None


def create_study_folder(output_dir: Path, name: str, study_id: str | None = None) -> StudyFolder:
    """Make a new study's folder: `study_id` if given, else the next free ``name-N``."""
    if study_id is not None and not re.fullmatch(r"\w[\w.-]*", study_id):
        raise UserError(
            f"study.id names a folder: letters, digits and _ - . only, got '{study_id}'."
        )
    studies = output_dir / "studies"
    try:
        studies.mkdir(parents=True, exist_ok=True)
        if not os.access(studies, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        if disk.shortage(error):
            raise
        raise UserError(
            f"output_dir: {studies} cannot be written ({error.strerror}); choose another by "
            f"output_dir=FOLDER or the variable RAYSTUDY_HOME."
        ) from error
    if study_id is not None:
        folder = studies / study_id
        try:
            folder.mkdir()
        except FileExistsError:
            started = (folder / "study.json").is_file()
            again = StudyFolder(folder).command("resume")
            advice = f"continue it with '{again}'" if started else "remove it"
            what = "exists" if started else "is a folder without a study"
            raise UserError(
                f"study.id: '{study_id}' {what} in {studies}; {advice}, or choose another id."
            ) from None
        return StudyFolder(folder)
    number = 1
    while True:
        try:
            (studies / f"{name}-{number}").mkdir()
        except FileExistsError:
            number += 1
        else:
            return StudyFolder(studies / f"{name}-{number}")


def open_study_folder(output_dir: Path, study_id: str) -> StudyFolder:
    """Return an existing study's folder."""
    if not has_study(output_dir, study_id):
        raise UserError(f"no study '{study_id}' in {output_dir}; {_there(output_dir, study_id)}")
    return StudyFolder(output_dir / "studies" / study_id)


def has_study(output_dir: Path, study_id: str) -> bool:
    """Return whether a study of that id is there; a path is no id."""
    is_name = Path(study_id).name == study_id != ".."
    return is_name and (output_dir / "studies" / study_id / "study.json").is_file()


def nearest_study(output_dir: Path, study_id: str) -> str:
    """Return which study may have been meant, in words; empty if none is like it."""
    paths = output_dir.glob("studies/*/study.json")
    near = difflib.get_close_matches(study_id, [path.parent.name for path in paths], 1)
    return f"did you mean '{near[0]}'?" if near else ""


def _there(output_dir: Path, study_id: str) -> str:
    """Return what may have been meant, in words."""
    paths = output_dir.glob("studies/*/study.json")
    newest = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
    there = [path.parent.name for path in newest]
    if near := nearest_study(output_dir, study_id):
        return near
    if not there:
        return (
            "there is none yet: 'raystudy sweep swaro' starts one; "
            "'raystudy --cluster FILE ...' asks a cluster."
        )
    more = f" and {len(there) - SHOWN} more ('raystudy studies')" if len(there) > SHOWN else ""
    return f"there are {', '.join(there[:SHOWN])}{more}."


def is_locked(folder: StudyFolder) -> bool:
    """Return whether a driver holds a study."""
    return lock.is_held(folder.path)


def all_folders(output_dir: Path) -> list[StudyFolder]:
    """Return the folders of all studies and single trials, oldest first."""
    manifests = sorted(output_dir.glob("studies/*/study.json"), key=lambda p: p.stat().st_mtime)
    return [StudyFolder(path.parent) for path in manifests]
