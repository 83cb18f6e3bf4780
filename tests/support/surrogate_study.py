"""Studies of surrogates, opened and run in a line."""

import time
from dataclasses import replace
from pathlib import Path

import optuna
from omegaconf import OmegaConf
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from surrogates import SPACE, Surrogate, study_info

import search_spaces
from raystudy.study.inline import InlineExecutor, VirtualClock
from raystudy.study.study import Study


class Events:
    """A tracker that keeps what it hears."""

    def __init__(self):
        self.heard = []

    def study_started(self, study):
        self.heard.append(("study_started", study.id))

    def trial_started(self, trial):
        self.heard.append(("trial_started", trial.number))

    def trial_reported(self, number, epoch, metrics):
        self.heard.append(("trial_reported", number, epoch))

    def trial_finished(self, trial):
        self.heard.append(("trial_finished", trial.number, trial.state))

    def study_finished(self, state):
        self.heard.append(("study_finished", state))

    def of(self, kind):
        return [event[1:] for event in self.heard if event[0] == kind]


def recipe(group, name, *, min_epochs=2, **settings):
    """Return a choice of `sampler` or `trial_scheduler` as plain settings."""
    node = OmegaConf.load(Path(search_spaces.__file__).parent / group / f"{name}.yaml")
    root = OmegaConf.create({"min_epochs": min_epochs, "node": node})
    return OmegaConf.to_container(root, resolve=True)["node"] | settings


def open_study(
    folder,
    *,
    sampler="random",
    trial_scheduler="none",
    trackers=(),
    space=SPACE,
    url=None,
    spec=None,
    clock=time.monotonic,
    **info,
):
    """Open a study of surrogates; names of choices may also be recipes."""
    folder.mkdir(exist_ok=True)
    info = {"resumed": (folder / "journal.log").exists()} | info
    about = study_info(folder, space=space, **info)
    return Study.open(
        replace(about, spec=replace(about.spec, **(spec or {}))),
        space,
        sampler=recipe("sampler", sampler) if isinstance(sampler, str) else sampler,
        trial_scheduler=recipe("trial_scheduler", trial_scheduler)
        if isinstance(trial_scheduler, str)
        else trial_scheduler,
        trackers=trackers,
        storage_url=url,
        max_epochs=Surrogate().epochs,
        clock=clock,
    )


def run_study(folder, surrogate=None, *, workers=1, max_events=None, **study):
    """Open a study, run it and return it closed."""
    clock = VirtualClock()
    executor = InlineExecutor(
        surrogate or Surrogate(), workers=workers, clock=clock, max_events=max_events
    )
    with open_study(folder, clock=clock, **study) as opened:
        executor.run(opened)
    return opened


def told(summaries):
    """Return what of the summaries does not depend on time."""
    return [
        (s.number, s.state, s.epoch, dict(s.last), dict(s.best), dict(s.metrics), s.reason)
        for s in summaries
    ]


def as_optuna_sees_it(folder):
    """Return the study as Optuna's own reader finds it in the journal."""
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    return optuna.load_study(study_name=folder.name, storage=storage)
