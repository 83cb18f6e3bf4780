"""What shows a study while it runs, or keeps a copy of it: a console, MLflow, TensorBoard."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder
from raystudy.study.info import StudyInfo
from raystudy.study.model import Model
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary

# The study as a whole, the number of one of its trials, or the name of what several trials came to.
RunKey = int | str
STUDY: RunKey = "study"
Progress = Callable[[int, int], None]


class StudyObserver(Protocol):
    """Receives every event of a study, in order, in the driver's process.

    Calls come from one thread and must return at once. An observer never raises into the study.
    """

    def study_started(self, study: StudyInfo) -> None:
        """The study starts or continues."""

    def trial_started(self, trial: TrialInfo) -> None:
        """A trial was handed to a worker."""

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        """A trial ended an epoch (counted from 1)."""

    def trial_finished(self, trial: TrialSummary) -> None:
        """A trial reached its one final state."""

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        """Nothing more will come until the study continues."""

    def close(self) -> None:
        """Deliver what is still on its way; the one call that may take a while."""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What is added to a study or to one of its trials after it ended: a report, an evaluation.

    Parameters
    ----------
    metrics : mapping of str to float
        Each at one step.
    curves : mapping of str to mapping of int to float
        Measures with several steps of their own.
    tags : mapping of str to str
    settings : mapping of str to value
        Of what several trials came to.
    note : str
        What its page says of it.
    files : mapping of str to bytes or Path
        Content by name.
    folder : str
        In which the files are kept.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    files: Mapping[str, bytes | Path] = field(default_factory=dict)
    folder: str = ""


@dataclass(frozen=True)
class SyncResult:
    """What `Tracker.sync` came to.

    Parameters
    ----------
    delivered, waiting : int
        Events.
    refused : tuple of str
        What the tracker's server will never accept; it is left out there.
    error : str
        Why something still waits, and what to do; empty if nothing does.
    """

    delivered: int
    waiting: int
    refused: tuple[str, ...] = ()
    error: str = ""


class Health(NamedTuple):
    """Whether a tracker would work now; `wrong` says that it would not."""

    verdict: Literal["well", "note", "wrong"]
    found: str
    advice: str = ""


class UserInterface(NamedTuple):
    """The program that shows what a tracker keeps; without a command there is nothing to run."""

    words: str
    command: Sequence[str] = ()
    environment: Mapping[str, str] = {}


class Tracker(StudyObserver, Protocol):
    """Keeps a copy of studies: everything that the commands ask of MLflow and the like.

    ``search_spaces/tracker/<name>.yaml`` names the class. It is made with the settings of that
    file and with what `NoTracker` takes. What a tracker has not, it inherits from `NoTracker`.
    """

    name: str

    @property
    def place(self) -> str:
        """Where it keeps studies, in words without passwords; empty if nowhere."""

    def attach(self, folder: StudyFolder, key: RunKey, attachment: Attachment) -> None:
        """Add to a trial, to the study itself, or to what several of its trials came to.

        `close` delivers it, or says that it waits.

        What has the name of something added before takes its place.
        """

    def register(self, folder: StudyFolder, number: int, model: Model) -> None:
        """Add a trial's network to the registry of models; `close` delivers it.

        Raises
        ------
        UserError
            If there is no registry, if it refuses the name, or if it cannot hold the network.
        """

    def registered(self, folder: StudyFolder, model: Model) -> Sequence[str]:
        """Return the lines of Python that load a registered network; none while it waits."""

    def sync(self, folder: StudyFolder, progress: Progress | None = None) -> SyncResult:
        """Deliver what waits on disk, now.

        Raises
        ------
        UserError
            If another process runs the study, or delivers it.
        """

    def sync_in_background(self, folder: StudyFolder) -> int:
        """Start a process that tries until everything is delivered; return its number."""

    def kept(self, folder: StudyFolder) -> str:
        """Return in words what `remove` would delete; empty if nothing."""

    def remove(self, folder: StudyFolder) -> str:
        """Delete what is kept of a study outside its folder; return why not, or ""."""

    def where(self, folder: StudyFolder) -> str:
        """Return the command that shows a study; empty if nothing does."""

    def user_interface(
        self, host: str, port: int, study: StudyFolder | None = None
    ) -> UserInterface:
        """Return the program that shows everything, or one study.

        Raises
        ------
        UserError
            If it cannot show that study.
        """

    def tags(self, run_id: str) -> Mapping[str, str]:
        """Return what is known of a run by the tracker's own id; empty if there is none.

        Raises
        ------
        UserError
            If the tracker's server does not answer.
        """

    def health(self) -> Health:
        """Return whether it would work now."""

    def bytes_on_disk(self, *, trials: int, epochs: int, weights: float) -> float:
        """Return what it writes to this machine's disk.

        Parameters
        ----------
        trials, epochs : int
            Of a study; epochs of all its trials together.
        weights : float
            Bytes of the weights that a trial keeps.
        """


class NoTracker:
    """Keep nothing: ``tracker=none``, and what other trackers inherit where they have nothing.

    Parameters
    ----------
    output_dir : str, optional
        The results folder.
    parent_run : bool
        Whether trials belong to a study; ``raystudy train`` has one trial only.
    params : mapping of str to value, optional
        Settings of the study as a whole (sampler, trial scheduler).
    warn, say : callable (str) -> None, optional
        Shows a sentence, perhaps from another thread.
    settings : object
        Those of another tracker's YAML, which an old study may have set.
    """

    name = "tracker"

    def __init__(self, **settings: object) -> None:
        pass

    @property
    def place(self) -> str:
        return ""

    def study_started(self, study: StudyInfo) -> None:
        pass

    def trial_started(self, trial: TrialInfo) -> None:
        pass

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        pass

    def trial_finished(self, trial: TrialSummary) -> None:
        pass

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        pass

    def close(self) -> None:
        pass

    def attach(self, folder: StudyFolder, key: RunKey, attachment: Attachment) -> None:
        pass

    def register(self, folder: StudyFolder, number: int, model: Model) -> None:
        raise UserError(
            f"the {self.name} of {folder.id} has no registry of models; MLflow has one "
            f"(tracker=mlflow, for studies that ran with it)."
        )

    def registered(self, folder: StudyFolder, model: Model) -> Sequence[str]:
        return ()

    def sync(self, folder: StudyFolder, progress: Progress | None = None) -> SyncResult:
        return SyncResult(delivered=0, waiting=0)

    def sync_in_background(self, folder: StudyFolder) -> int:
        raise NotImplementedError  # of nothing that waits

    def kept(self, folder: StudyFolder) -> str:
        return ""

    def remove(self, folder: StudyFolder) -> str:
        return ""

    def where(self, folder: StudyFolder) -> str:
        return ""

    def user_interface(
        self, host: str, port: int, study: StudyFolder | None = None
    ) -> UserInterface:
        if study is not None:
            raise UserError(f"this tracker keeps nothing of {study.id} to look at; choose another.")
        return UserInterface("tracker=none keeps nothing to look at; choose another tracker.")

    def tags(self, run_id: str) -> Mapping[str, str]:
        return {}

    def health(self) -> Health:
        return Health("well", "none (tracker=none)")

    def bytes_on_disk(self, *, trials: int, epochs: int, weights: float) -> float:
        return 0.0
