"""``raystudy logs``: a trial's epochs, the output of its processes, and how it ended."""

import socket
import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE
from raystudy.storage import file_names
from raystudy.storage.folders import TrialFolder, is_locked
from raystudy.study.stored import StoredStudy, StoredTrial
from raystudy.trackers.console import short

POLL_EVERY_S = 2.0
ENDINGS = {
    "running": "is running",
    "complete": "is complete",
    "pruned": "was stopped",
    "diverged": "diverged",
    "collapsed": "collapsed",
    "failed": "failed",
}
SHOWN = ("train/loss", "val/")  # of an epoch's measures, the objectives included


def logs(study_id: str, number: int, overrides: Sequence[str], *, follow: bool) -> int:
    """Print a trial's epochs and the output of its processes, once or until it ends."""
    study = StoredStudy.open(results_folder(overrides), study_id)
    trial = study.trial(number)
    _, settings = study.composed
    console = terminal.console()
    reader = _Reader(console, study.trial_folder(number), settings.max_epochs)
    reader.print_new(trial)
    while follow and trial.summary.state == "running" and is_locked(study.folder):
        if console.quiet:  # the reader has closed the pipe
            return EXIT_DONE
        time.sleep(POLL_EVERY_S)
        trial = StoredStudy(study.folder).trial(number)
        reader.print_new(trial)
    reader.print_end(study, trial)
    return EXIT_DONE


class _Reader:
    """Prints epochs and output that are new since the last call.

    Parameters
    ----------
    console : Console
    folder : TrialFolder
    max_epochs : int
    """

    def __init__(self, console: Console, folder: TrialFolder, max_epochs: int) -> None:
        self._console = console
        self._folder = folder
        self._max_epochs = max_epochs
        self._epoch = 0
        self._read = 0

    def print_new(self, trial: StoredTrial) -> None:
        """Print the epochs and the output that have not been printed yet."""
        for epoch in sorted(epoch for epoch in trial.curve if epoch > self._epoch):
            values = _values(trial.curve[epoch])
            self._say(f"epoch {epoch:>3}/{self._max_epochs}  {values}\n")
            self._epoch = epoch
        log = self._folder.log
        if log.exists():
            with log.open("rb") as file:
                file.seek(self._read)
                printed = file.read()
            lines = printed[: printed.rfind(b"\n") + 1]  # the last one may be incomplete
            self._read += len(lines)
            self._say(lines.decode(errors="replace"))

    def print_end(self, study: StoredStudy, trial: StoredTrial) -> None:
        """Print the traceback if there is one, and the trial's state."""
        if self._folder.error.exists():
            self._say(self._folder.error.read_text(errors=file_names.ANY).rstrip("\n") + "\n")
        summary = trial.summary
        ending, waits = ENDINGS[summary.state], study.waiting
        if (host := self._folder.hosts) and host != socket.gethostname():
            ending += f" on {host}"
        if waits and summary.number in waits.trials:
            self._say(f"{waits}\n")
        if summary.state == "running" and not is_locked(study.folder):
            ending = f"is interrupted (continue with '{study.folder.command('resume')}')"
        reason = f": {summary.reason}" if summary.reason else ""
        epochs = f"after {summary.epoch} epoch{'s' * (summary.epoch != 1)}"
        self._say(f"trial {summary.number} of {study.id} {ending} {epochs}{reason}\n")

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True, end="")


def _values(metrics: Mapping[str, float]) -> str:
    shown = {name: value for name, value in metrics.items() if name.startswith(SHOWN)}
    return "  ".join(
        f"{short(name.removeprefix('train/'))} {value:.4g}" for name, value in shown.items()
    )
