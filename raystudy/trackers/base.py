"""What is told to a console, to MLflow or to a test while a study runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from raystudy.spec import StudySpec

TrialState = Literal["running", "complete", "pruned", "diverged", "collapsed", "failed"]
Metrics = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class StudyInfo:
    """What is known of a study before its first trial; also written to ``study.json``.

    Parameters
    ----------
    id : str
        Name of the study's folder, such as ``swaro-3``.
    folder : Path
    name : str
        Name of the study's YAML, such as ``swaro``.
    overrides : tuple of str
        What the user pinned on the command line, the swept axes left out.
    dataset : str
    spec : StudySpec
    axes : mapping of str to str
        Override path to a readable range, such as ``"0.01 to 1 (log)"``.
    published : mapping of str to value
        Override path to the value trial 0 runs.
    resumed : bool
    measured_on : mapping of str to int
        Of how many images each measure is a share, as far as that was recorded.
    """

    id: str
    folder: Path
    name: str
    overrides: tuple[str, ...]
    dataset: str
    spec: StudySpec
    axes: Mapping[str, str]
    published: Mapping[str, Any]
    search_path: tuple[str, ...] = ()
    resumed: bool = False
    measured_on: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrialInfo:
    """A trial about to start.

    Parameters
    ----------
    number : int
    params : mapping of str to value
        Override path to sampled value.
    overrides : tuple of str
        The whole trial: the user's overrides and the sampled ones.
    folder : Path
        Where its resolved configuration, checkpoints and logs lie.
    command : str
        A command line that replays it.
    resumed : bool
        It ran before and goes on from its last checkpoint.
    """

    number: int
    params: Mapping[str, Any]
    overrides: tuple[str, ...]
    folder: Path
    command: str
    resumed: bool = False


@dataclass(frozen=True, kw_only=True)
class TrialSummary:
    """A trial that ended.

    Parameters
    ----------
    number : int
    state : TrialState
        Any but ``"running"``.
    epoch : int
        Epochs it reported.
    last, best : mapping of str to float
        Each objective at the last epoch, and at its own best epoch.
    metrics : mapping of str to float
        Every measure as last reported.
    seconds : float
    reason : str
        Why it ended, for states other than complete; of a complete one why it is infeasible.
    violation : float
        By how much a complete trial exceeds ``study.constraints`` in all; 0: it is feasible.
    """

    number: int
    state: TrialState
    epoch: int
    last: Metrics = field(default_factory=dict)
    best: Metrics = field(default_factory=dict)
    metrics: Metrics = field(default_factory=dict)
    seconds: float = 0.0
    reason: str = ""
    violation: float = 0.0


class Tracker(Protocol):
    """Hears of everything that happens to a study, in order, in the driver's process.

    Calls come from one thread and must return at once. A tracker never raises into the study.
    """

    def study_started(self, study: StudyInfo) -> None:
        """The study begins or goes on."""

    def trial_started(self, trial: TrialInfo) -> None:
        """A trial was handed to a worker."""

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        """A trial ended an epoch (counted from 1)."""

    def trial_finished(self, trial: TrialSummary) -> None:
        """A trial reached its one final state."""

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        """Nothing more will come until the study goes on."""

    def close(self) -> None:
        """Hand over what is still on its way; the one call that may take a while."""
