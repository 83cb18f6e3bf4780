"""From events to what MLflow's runs shall look like; knows nothing of MLflow's client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from raystudy.config.spec import RECIPE, Objective
from raystudy.storage.spool import Event
from raystudy.study.tracker import STUDY, RunKey
from raystudy.trackers.mlflow import models
from raystudy.trackers.mlflow.run_patch import Point, Registration, RunPatch, Status, ends
from raystudy.trackers.mlflow.standing import Standing
from raystudy.trackers.mlflow.tags import (
    NOTE,
    REPORTS,
    final_tags,
    study_params,
    study_tags,
    trial_tags,
    word,
)
from raystudy.trial.info import TrialState, TrialSummary

STATUS: Mapping[str, Status] = {
    "complete": "FINISHED",
    "pruned": "FINISHED",
    "diverged": "FAILED",
    "collapsed": "FAILED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}


@dataclass
class _Trial:
    """What is known of a trial so far."""

    state: TrialState = "running"
    epoch: int = 0
    command: str = ""
    history: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


class Projection:
    """Takes a study's events in, in order, and turns each into changes of runs.

    The same events give the same changes, so that a delivery cut short can be repeated.
    """

    def __init__(self) -> None:
        self.uid = ""
        self.study: Event | None = None
        self.is_open = False
        self.summaries: dict[str, dict[str, float]] = {}  # measures of what several trials came to
        self.reports: dict[str, None] = {}  # pages among the files of the study's own run
        self._note = ""
        self._trials: dict[int, _Trial] = {}
        self._standing: Standing | None = None
        self._patches: dict[RunKey, RunPatch] = {}
        self._attached: dict[tuple[RunKey, str, int], str] = {}

    @property
    def experiment(self) -> str:
        """Name of the experiment that the study belongs to."""
        assert self.study is not None
        return f"raystudy/{self.study['name']}/{self.study['dataset']}"

    @property
    def objectives(self) -> list[Objective]:
        """What the study optimises."""
        assert self.study is not None
        return [Objective(**entry) for entry in self.study["objectives"]]

    @property
    def standing(self) -> Standing:
        """Which trials are best."""
        assert self.study is not None
        if self._standing is None:
            self._standing = Standing(self.objectives, is_race="seed" in self.study["axes"])
        return self._standing

    @property
    def has_parent(self) -> bool:
        """Whether trials are children of a run of the study."""
        return bool(self.study and self.study["parent_run"])

    def take(self, event: Event) -> None:
        """Take an event in; those of another version of raystudy may be unknown and are skipped."""
        if event["kind"] == "spool":
            self.uid = self.uid or event["uid"]
            return
        handlers: dict[str, Callable[[Event], None]] = {
            "study_started": self._study_started,
            "trial_started": self._trial_started,
            "trial_reported": self._trial_reported,
            "trial_finished": self._trial_finished,
            "study_finished": self._study_finished,
            "attached": self._on_attached,
            "registered": self._on_registered,
        }
        handler = handlers.get(event["kind"])
        if handler is not None and (self.study or event["kind"] == "study_started"):
            handler(event)

    def patches(self) -> dict[RunKey, RunPatch]:
        """Return what changed since the last call, the study's own run first."""
        patches, self._patches = self._patches, {}
        return dict(sorted(patches.items(), key=lambda item: _order(item[0])))

    def _study_started(self, event: Event) -> None:
        first, self.study, self.is_open = self.study is None, event, True
        patch = self._study_patch(event)
        if patch is None:
            return
        patch.status, patch.ended, patch.files = "RUNNING", None, True
        patch.tags |= study_tags(event)
        self._note = patch.tags[NOTE]
        if first:  # parameters are write-once in MLflow
            patch.params |= study_params(event)

    def _trial_started(self, event: Event) -> None:
        assert self.study is not None
        trial = self._trials.setdefault(event["number"], _Trial())
        self.standing.drop(event["number"])  # a driver died after this trial's end was written
        trial.state, trial.command = "running", event["command"]
        patch = self._trial_patch(event["number"], event)
        patch.status, patch.ended = "RUNNING", None
        patch.params |= {path: word(value) for path, value in event["settings"].items()}
        patch.tags |= trial_tags(self.study, event)

    def _trial_reported(self, event: Event) -> None:
        trial = self._trials.setdefault(event["number"], _Trial())
        if event["epoch"] <= trial.epoch:  # reported again after a restart
            return
        patch = self._trial_patch(event["number"], event)
        patch.files = patch.files or trial.epoch == 0  # the resolved configuration is there now
        trial.epoch = event["epoch"]
        # MLflow's plots start with the measure that came first.
        first = {
            o.metric: event["metrics"][o.metric]
            for o in self.objectives
            if o.metric in event["metrics"]
        }
        for name, value in (first | event["metrics"]).items():
            patch.metrics.append(Point(name, value, event["time"], trial.epoch))
            trial.history.setdefault(name, []).append((trial.epoch, value))

    def _trial_finished(self, event: Event) -> None:
        summary = TrialSummary(**event["summary"])
        trial = self._trials.setdefault(summary.number, _Trial())
        if trial.state != "running":
            return
        trial.state = summary.state
        patch = self._trial_patch(summary.number, event)
        patch.status, patch.ended, patch.files = STATUS[summary.state], event["time"], True
        patch.history, trial.history = trial.history or None, {}
        patch.metrics += ends(summary, event["time"])
        patch.tags |= final_tags(summary, trial.command)
        self._sum_up(summary, event)

    def _sum_up(self, summary: TrialSummary, event: Event) -> None:
        """Bring the study's own run up to date with a trial that ended."""
        self.standing.add(summary)
        patch = self._study_patch(event)
        if patch is None:
            return
        ended = len(self.standing.ended)
        values = self.standing.measures()
        patch.metrics += [Point(key, value, event["time"], ended) for key, value in values.items()]
        commands = {number: trial.command for number, trial in self._trials.items()}
        patch.tags |= self.standing.tags(commands)

    def _study_finished(self, event: Event) -> None:
        self.is_open = False
        for number, trial in self._trials.items():
            if trial.state == "running":
                patch = self._trial_patch(number, event)
                patch.status, patch.ended = "KILLED", event["time"]
                patch.tags["raystudy.state"] = "interrupted"
        study = self._study_patch(event)
        if study is not None:
            study.status, study.ended = STATUS[event["state"]], event["time"]
            study.tags["raystudy.state"] = event["state"]

    def _on_attached(self, event: Event) -> None:
        """Add to a run, ended or not; a value that it has already is not added again."""
        key: RunKey = event["key"]
        patch = self._patch_of(key, event)
        points = [(name, 0, value) for name, value in event["metrics"].items()]
        for name, step, value in [*points, *event["curves"]]:
            if self._attached.get((key, name, step)) != repr(value):
                self._attached[key, name, step] = repr(value)
                patch.metrics.append(Point(name, value, event["time"], step))
        patch.tags |= event["tags"]
        if event["note"]:
            patch.tags[NOTE] = event["note"]
        if key == STUDY and self.has_parent:
            self._on_added_to_study(patch, event)
        patch.attached |= {(str(key), event["folder"], name) for name in event["files"]}

    def _on_registered(self, event: Event) -> None:
        """Add a model to a run and to the registry."""
        number = int(event["number"])
        patch, folder = self._patch_of(number, event), models.folder_of(event["id"])
        paths = [PurePosixPath(folder, name) for name in event["files"]]
        patch.attached |= {(str(number), str(path.parent), path.name) for path in paths}
        about = Registration(event["id"], event["name"], event["tags"], event["note"])
        patch.models.append(about)

    def _patch_of(self, key: RunKey, event: Event) -> RunPatch:
        """Return the changes of the run that something is added to."""
        if key == STUDY and (study := self._study_patch(event)) is not None:
            return study
        if isinstance(key, str) and key != STUDY:
            patch = self._patches.setdefault(key, RunPatch(key, event["time"]))
            patch.params |= {path: word(value) for path, value in event["settings"].items()}
            self.summaries.setdefault(key, {}).update(event["metrics"])
        else:
            number = RECIPE if key == STUDY else int(key)
            patch = self._trial_patch(number, event)
            if number in self._trials:
                return patch
        patch.status, patch.ended = "FINISHED", event["time"]  # it ran without this tracker
        return patch

    def _on_added_to_study(self, patch: RunPatch, event: Event) -> None:
        self._note = patch.tags.setdefault(NOTE, event["note"] or self._note)
        self.reports |= dict.fromkeys(name for name in event["files"] if name.endswith(".html"))
        if self.reports:
            patch.tags[REPORTS] = "/".join(self.reports)

    def _study_patch(self, event: Event) -> RunPatch | None:
        assert self.study is not None
        if not self.has_parent:
            return None
        return self._patches.setdefault(STUDY, RunPatch(self.study["id"], event["time"]))

    def _trial_patch(self, number: int, event: Event) -> RunPatch:
        assert self.study is not None
        name = f"trial {number:04d}" if self.has_parent else self.study["id"]
        return self._patches.setdefault(number, RunPatch(name, event["time"]))


def _order(key: RunKey) -> tuple[bool, bool, RunKey]:
    """Put the study first, then trials by number, then what several came to."""
    return key != STUDY, isinstance(key, str), key
