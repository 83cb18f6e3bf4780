"""Deliver a study's spool to MLflow, from where the last delivery got to."""

import contextlib
import fcntl
import itertools
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from raystudy.errors import UserError
from raystudy.storage import file_names
from raystudy.storage.file_names import readable
from raystudy.storage.folders import StudyFolder
from raystudy.storage.redaction import redact
from raystudy.storage.spool import Event, read
from raystudy.study.tracker import STUDY, RunKey
from raystudy.trackers.mlflow import attached_files, history_plot, models, pages
from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.delivered import NOTHING_YET, note_of, run_ids, write_note
from raystudy.trackers.mlflow.projection import Projection
from raystudy.trackers.mlflow.run_patch import RunPatch
from raystudy.trackers.mlflow.tags import NOTE, identity

EVENTS_AT_ONCE = 2000  # a trial within them takes one batch: 1,000 are delivered in fewer trips
POINTS_AT_ONCE = 1000  # in one transaction: 10 trials of 96 values take half a second
LOOK_AGAIN_S = 0.2
AN_HOUR = 3_600_000  # milliseconds by which a clock may have been set back


class Delivery:
    """Deliver events in order, some at a time, and note after each time how far it got.

    After an exception make another one: it starts after the last note, which may repeat events
    that MLflow has already. Every write can be repeated; runs that exist are found by the spool's
    identity, so that none is made twice.

    Parameters
    ----------
    folder : StudyFolder
    store : MlflowStore
    uri : str
        The store's name in the notes; deliveries to several stores do not touch each other.
    """

    def __init__(self, folder: StudyFolder, store: MlflowStore, uri: str) -> None:
        self.projection = Projection()
        self._folder = folder
        self._store = store
        self._uri = uri
        note = note_of(folder, uri)
        runs = run_ids(folder, uri)
        self._has_noted_experiment = "experiment" in note
        if runs and not any(map(store.has_run, runs.values())):
            note, runs = NOTHING_YET, {}  # another database is in that place
        self._models: dict[str, str] = dict(note.get("models", {}))
        self._offset: int = 0
        self._runs = runs
        self._has_started = False
        for event, end in read(folder.spool):
            if end > note["offset"]:
                break
            self.projection.take(event)
            self._offset = end
        self.projection.patches()

    def step(self) -> int:
        """Deliver the next events and return how many; 0: there are none."""
        events = list(itertools.islice(read(self._folder.spool, self._offset), EVENTS_AT_ONCE))
        if not events:
            if self._runs and not self._has_noted_experiment:  # of an earlier version
                self._start(self.projection.study or {})
                self._note()
            return 0
        for event, _ in events:
            self.projection.take(event)
        if self.projection.study is not None:
            self._start(events[0][0])
            patches = self.projection.patches()
            for batch in _batches(patches):
                self._apply(batch)
            if STUDY in patches and (patches[STUDY].status or patches[STUDY].attached):
                self._store.experiment.list_studies()
            if patches.keys() & self.projection.summaries.keys():
                self._show_summaries()
        self._offset = events[-1][1]
        self._note()
        return len(events)

    def _start(self, first: Event) -> None:
        """Find what a delivery made that died before it could note it."""
        if not self._has_started:
            self._store.open_experiment(self.projection.experiment)
            self._runs |= self._store.experiment.find_runs(
                self.projection.uid, since=first.get("time", 0) - AN_HOUR
            )
            self._show()
            self._has_started = True

    def _show(self) -> None:
        """Let the experiment have a view of the study's trials."""
        study, uid = self.projection.study, self.projection.uid
        if study is not None and self.projection.has_parent:
            self._store.experiment.tag(f"{pages.VIEW}{uid}", pages.view(study, uid))

    def _show_summaries(self) -> None:
        """Let the experiment have a view of what a race's configurations came to."""
        study, projection = self.projection.study, self.projection
        if study is not None:
            value = pages.summary_view(study, projection.uid, projection.summaries)
            self._store.experiment.tag(f"{pages.VIEW}{projection.uid}{pages.SUMMARIES}", value)

    def _apply(self, batch: Mapping[RunKey, RunPatch]) -> None:
        """Change runs; files between the transactions, so that others can write meanwhile."""
        points = sum(len(patch.metrics) for patch in batch.values())
        at_once = self._store.transaction if points <= POINTS_AT_ONCE else contextlib.nullcontext
        with at_once():
            for key, patch in batch.items():
                self._write(key, patch)
        for key, patch in batch.items():
            self._upload(key, patch)
        if any(patch.status for patch in batch.values()):
            with at_once():
                for key, patch in batch.items():
                    self._store.set_status(self._runs[key], patch)

    def _write(self, key: RunKey, patch: RunPatch) -> None:
        if patch.files and key != STUDY:
            patch.tags |= self._seed(int(key))
        note = patch.tags.get(NOTE)
        if key not in self._runs:
            assert self.projection.study is not None
            parent = self._runs.get(STUDY)
            tags = identity(self.projection.study, self.projection.uid, key, parent)
            # All at once: tags of a run that exists are looked up before they are written.
            self._runs[key] = self._store.create_run(patch, {**patch.tags, **tags})
            patch.tags = {}
            patch.status = None if patch.status == "RUNNING" else patch.status  # as new runs are
        if key == STUDY and note is not None:
            uid, experiment = self.projection.uid, self._store.experiment.id
            links = pages.links(
                experiment,
                uid,
                self._runs[key],
                self.projection.reports,
                is_summed_up=bool(self.projection.summaries),
            )
            patch.tags[NOTE] = f"{links}\n\n{note}"
        self._store.write(self._runs[key], patch)

    def _upload(self, key: RunKey, patch: RunPatch) -> None:
        run_id = self._runs[key]
        if patch.files:
            for name, content in self._files(key, patch):
                self._store.upload(run_id, name, content)
        for owner, subfolder, name in sorted(patch.attached):
            path = attached_files.place(self._folder, owner, subfolder, name)
            if path.is_file():
                self._store.upload(run_id, name, path, folder=subfolder)
        for model in patch.models:
            version = self._store.register(run_id, model, models.folder_of(model.id))
            self._models[model.id] = f"models:/{model.name}/{version}" if version else ""

    def _seed(self, number: int) -> dict[str, str]:
        """Return the seed in a trial's resolved configuration, also where nobody chose it."""
        config = self._folder.trial(number).config
        found = (
            re.search(r"^seed: (.+)$", config.read_text(errors=file_names.ANY), re.M)
            if config.is_file()
            else None
        )
        return {"raystudy.seed": found[1]} if found else {}

    def _files(self, key: RunKey, patch: RunPatch) -> Iterator[tuple[str, Any]]:
        """Yield the files there are; those of text without credentials."""
        # Paths are taken from the spool's place: the folder may have been moved or copied here.
        if key == STUDY:
            texts, weights = [self._folder.path / "study.json"], []
        else:
            trial = self._folder.trial(int(key))
            texts = [trial.config, trial.error]
            weights = (
                sorted(trial.path.glob("best*.safetensors")) if patch.ended is not None else []
            )
        for path in texts:
            if path.is_file():
                yield path.name, readable(redact(path.read_text(errors=file_names.ANY))).encode()
        for path in weights:
            yield path.name, path
        if patch.history:
            names = [objective.metric for objective in self.projection.objectives]
            with contextlib.suppress(Exception):  # a picture must not hold numbers up
                yield "history.png", history_plot.draw(patch.history, names, patch.name)

    def _note(self) -> None:
        runs, experiment = self._runs, self._store.experiment.id
        note = {"offset": self._offset, "runs": runs, "experiment": experiment}
        note |= {"models": self._models} if self._models else {}
        write_note(self._folder, self._uri, note)
        self._has_noted_experiment = True


def _batches(patches: Mapping[RunKey, RunPatch]) -> Iterator[Mapping[RunKey, RunPatch]]:
    """Yield the runs' changes in order, some runs at a time; one with more points alone."""
    batch, points = dict[RunKey, RunPatch](), 0
    for key, patch in patches.items():
        points += len(patch.metrics)
        if batch and points > POINTS_AT_ONCE:
            yield batch
            batch, points = {}, len(patch.metrics)
        batch[key] = patch
    if batch:
        yield batch


@contextlib.contextmanager
def alone(folder: StudyFolder, limit_s: float = math.inf) -> Iterator[None]:
    """Wait until nobody else delivers: the upload process of a killed driver may still be at it.

    Raises
    ------
    UserError
        If somebody still does after `limit_s` seconds.
    """
    deadline = time.monotonic() + limit_s
    with (folder.path / "mlflow.lock").open("a+") as file:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                file.seek(0)
                raise UserError(
                    f"process {file.read()} delivers {folder.id} to MLflow "
                    f"already, or tries to; wait for it, or end it by 'kill'."
                )
            time.sleep(LOOK_AGAIN_S)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)
