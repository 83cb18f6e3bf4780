"""What is known of one trial, before it runs and after."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TrialState = Literal["running", "complete", "pruned", "diverged", "collapsed", "failed"]


Metrics = Mapping[str, float]


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
        Where its resolved configuration, checkpoints and logs are.
    command : str
        A command line that replays it.
    resumed : bool
        It ran before and continues from its last checkpoint.
    name : str, optional
        Of its YAML, if it is not the study's own.
    """

    number: int
    params: Mapping[str, Any]
    overrides: tuple[str, ...]
    folder: Path
    command: str
    resumed: bool = False
    name: str | None = None


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
