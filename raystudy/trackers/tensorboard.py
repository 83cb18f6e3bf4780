"""TensorBoard as a sink: event files in each study's folder, a run for each trial."""

import importlib.util
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from raystudy.config import import_path
from raystudy.errors import UserError
from raystudy.storage import disk
from raystudy.storage.file_names import readable
from raystudy.storage.folders import StudyFolder, command
from raystudy.storage.output_dir import resolve
from raystudy.storage.redaction import redact
from raystudy.study.info import StudyInfo
from raystudy.study.tracker import Attachment, Health, NoTracker, RunKey, UserInterface
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary

PICTURES, TEXTS = (".png", ".jpg"), (".json", ".csv", ".txt", ".md", ".yaml")


class TensorBoardTracker(NoTracker):
    """Write scalars for each epoch, and settings with the objectives when a trial ends.

    What is added later (evaluations, pictures) follows in the same run. All of it is in the study's
    folder and goes with it; nothing waits for a server.

    Parameters
    ----------
    output_dir : str
    warn : callable (str) -> None, optional
    others : object
        What else every tracker is made with.

    Raises
    ------
    UserError
        If TensorBoard is not installed.
    """

    name = "TensorBoard"

    def __init__(
        self, *, output_dir: str, warn: Callable[[str], None] | None = None, **others: object
    ) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise UserError(
                "tracker=tensorboard needs the package tensorboard; install it by "
                "pip install 'raystudy[tensorboard]', or choose another tracker."
            )
        self._studies = resolve(output_dir) / "studies"
        self._warn = warn or (lambda _: None)
        self._folder: StudyFolder | None = None
        self._settings: dict[int, Mapping[str, Any]] = {}
        self._writers: dict[int, Any] = {}

    @property
    def place(self) -> str:
        return f"TensorBoard's files in {self._studies}"

    def study_started(self, study: StudyInfo) -> None:
        self._folder = StudyFolder(study.folder)

    def trial_started(self, trial: TrialInfo) -> None:
        self._settings[trial.number] = trial.params

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        def write() -> None:
            if number not in self._writers:  # a trial that continues repeats its last epoch
                self._writers[number] = self._open(number, purge_step=epoch)
            for name, value in metrics.items():
                self._writers[number].add_scalar(name, value, epoch)
            self._writers[number].flush()

        self._safely(write)

    def trial_finished(self, trial: TrialSummary) -> None:
        def write() -> None:
            writer = self._writers.pop(trial.number, None) or self._open(trial.number)
            ends = {"last": trial.last, "best": trial.best}
            objectives = {f"{k}/{name}": v for k, all_ in ends.items() for name, v in all_.items()}
            params = {path: _plain(v) for path, v in self._settings.get(trial.number, {}).items()}
            # The run's own folder: by default settings go to a run of their own.
            writer.add_hparams(params, objectives, run_name=".", global_step=trial.epoch)
            writer.add_text("state", f"{trial.state} {trial.reason}".strip(), trial.epoch)
            writer.close()

        self._safely(write)

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        for number in list(self._writers):
            self._safely(self._writers.pop(number).close)

    def attach(self, folder: StudyFolder, key: RunKey, attachment: Attachment) -> None:
        def write() -> None:
            from torch.utils.tensorboard import SummaryWriter

            with SummaryWriter(str(_run(folder, key))) as writer:
                for name, value in attachment.metrics.items():
                    writer.add_scalar(name, value, 0)
                for name, curve in attachment.curves.items():
                    for step, value in curve.items():
                        writer.add_scalar(name, value, step)
                texts = dict(attachment.tags)
                texts |= {path: str(value) for path, value in attachment.settings.items()}
                texts |= {"note": attachment.note} if attachment.note else {}
                for name, text in texts.items():
                    writer.add_text(name, readable(redact(text)), 0)
                for name, content in attachment.files.items():
                    where = f"{attachment.folder}/{name}".lstrip("/")
                    _add_file(writer, where, content)

        self._safely(write)

    def where(self, folder: StudyFolder) -> str:
        return command("ui", "tracker=tensorboard", output_dir=folder.home)

    def user_interface(
        self, host: str, port: int, study: StudyFolder | None = None
    ) -> UserInterface:
        if study is not None:
            raise UserError(
                f"TensorBoard has no page for {study.id} alone; leave it out to see all studies."
            )
        words = f"{self.place}\nopen http://{host}:{port}"
        arguments = ["--logdir", str(self._studies), "--host", host, "--port", str(port)]
        return UserInterface(words, import_path.python("-m", "tensorboard.main", *arguments))

    def health(self) -> Health:
        return Health("well", self.place)

    def bytes_on_disk(self, *, trials: int, epochs: int, weights: float) -> float:
        return float(trials * (8 << 10) + epochs * (1 << 10))

    def _open(self, number: int, purge_step: int | None = None) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        assert self._folder is not None
        return SummaryWriter(str(_run(self._folder, number)), purge_step=purge_step)

    def _safely(self, write: Callable[[], None]) -> None:
        """Write; the study matters more than its log, unless the disk is full for both."""
        try:
            write()
        except Exception as error:
            if disk.shortage(error):
                raise
            self._warn(f"TensorBoard gets nothing of this: {type(error).__name__}: {error}")


def _run(folder: StudyFolder, key: RunKey) -> Path:
    name = key if isinstance(key, str) else f"trial-{key:04d}"
    return folder.path / "tensorboard" / name


def _add_file(writer: Any, name: str, content: bytes | Path) -> None:
    """Show a picture or a text; what is neither is left where it is."""
    raw = content.read_bytes() if isinstance(content, Path) else content
    if name.endswith(PICTURES):
        import numpy as np
        from PIL import Image

        with Image.open(io.BytesIO(raw)) as image:
            writer.add_image(name, np.asarray(image.convert("RGB")), 0, dataformats="HWC")
    elif name.endswith(TEXTS):
        text = readable(redact(raw.decode(errors="replace")))
        writer.add_text(name, "".join(f"    {line}\n" for line in text.splitlines()), 0)


def _plain(value: Any) -> bool | float | str:
    """Return a setting as TensorBoard has it: a flag, a number or text."""
    return value if isinstance(value, (bool, int, float, str)) else str(value)
