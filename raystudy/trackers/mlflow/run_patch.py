"""What shall become of one run in MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from raystudy.trial.info import TrialSummary

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
History = Mapping[str, list[tuple[int, float]]]


class Point(NamedTuple):
    """One value of a measure; `time` in milliseconds since 1970."""

    key: str
    value: float
    time: int
    step: int


class Registration(NamedTuple):
    """A model among the files of a run that shall be a version in the registry."""

    id: str
    name: str
    tags: Mapping[str, str]
    note: str


@dataclass
class RunPatch:
    """Everything that a few events change about a run; to apply it twice changes nothing more.

    Parameters
    ----------
    name : str
    started : int
        Milliseconds since 1970; counts when the run is new.
    metrics, params, tags
        To be added or, for tags, replaced.
    status : str, optional
    ended : int, optional
        Milliseconds since 1970, with a final status.
    files : bool
        Whether the files in the trial's or study's folder shall be uploaded as they are now.
    history : mapping of measure to list of (epoch, value), optional
        To be drawn.
    attached : set of (str, str, str)
        Owner, folder and name of files that were added, see `attached_files`.
    models : list of Registration
    """

    name: str
    started: int
    metrics: list[Point] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    status: Status | None = None
    ended: int | None = None
    files: bool = False
    history: History | None = None
    attached: set[tuple[str, str, str]] = field(default_factory=set)
    models: list[Registration] = field(default_factory=list)


def ends(summary: TrialSummary, time: int) -> list[Point]:
    """Return last and best of each objective: a table shows only the last value of a measure."""
    kinds = {"last": summary.last, "best": summary.best}
    return [
        Point(f"{kind}/{name}", value, time, summary.epoch)
        for kind, values in kinds.items()
        for name, value in values.items()
    ]
