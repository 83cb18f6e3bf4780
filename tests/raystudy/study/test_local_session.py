"""A trial of `raystudy train` ends as one of a study does."""

from dataclasses import replace

import pytest
from memory_tracker import MemoryTracker
from surrogates import CLEAN, ROBUST, study_info

from raystudy.config.constraint import Constraint
from raystudy.study.local_session import LocalSession
from raystudy.study.trial_record import Outcome, TrialRecord
from raystudy.trial.endings import ending_of
from raystudy.trial.info import TrialInfo
from trainables.trainer import TrainingCollapsedError, TrainingDivergedError


def ended(folder, metrics, error=None, constraints=()):
    """How a trial ends that reports one epoch and then raises."""
    info = study_info(folder)
    info = replace(info, spec=replace(info.spec, constraints=constraints))
    trial = TrialInfo(number=0, params={}, overrides=(), folder=folder / "0", command="")
    with LocalSession(info, trial, [MemoryTracker()]) as session:
        session.report(1, metrics)
        if error is not None:
            raise error
    record = TrialRecord(0, info.spec.objectives, {}, constraints)
    record.add(1, metrics, 0.0)
    outcome = Outcome(*ending_of(error)) if error else Outcome("completed")
    return session.summary, record.conclude(outcome)


ERRORS = [None, ValueError("no"), TrainingCollapsedError("flat"), TrainingDivergedError("nan")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("metrics", [{ROBUST: 0.5}, {CLEAN: 0.5}], ids=["measured", "not measured"])
def test_it_ends_in_the_state_and_for_the_reason_of_a_studys_trial(error, metrics, tmp_path):
    summary, concluded = ended(tmp_path, metrics, error)
    assert (summary.state, summary.reason) == concluded


def test_what_breaks_a_constraint_says_so(tmp_path):
    constraints = (Constraint.read(f"{CLEAN} >= 0.8"),)
    summary, concluded = ended(tmp_path, {ROBUST: 0.5, CLEAN: 0.3}, constraints=constraints)
    assert (summary.state, summary.reason) == concluded
    assert CLEAN in summary.reason
    assert summary.violation == pytest.approx(0.5)
