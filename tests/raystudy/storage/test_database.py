"""A database that is locked: waited for, then told, and nothing is lost."""

import sqlite3

import pytest
from surrogate_study import Events, open_study, run_study
from surrogates import Surrogate

from raystudy.errors import StudyStalledError
from raystudy.storage import database


def test_a_locked_sqlite_file_is_waited_for(tmp_path):
    storage = database.open_database(f"sqlite:///{tmp_path}/studies.db")
    with storage.engine.connect() as connection:
        waits = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert waits == 1000 * database.LOCK_PATIENCE_S


def test_a_study_ended_by_a_locked_database_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "LOCK_PATIENCE_S", 0.0)
    url, first, second = f"sqlite:///{tmp_path}/studies.db", Events(), Events()
    with open_study(tmp_path / "s", url=url, trackers=[first], num_trials=2) as study:
        study.next_trial()
        assert study.report(0, 1, {"val/robust_accuracy": 0.1})
        other = sqlite3.connect(tmp_path / "studies.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StudyStalledError, match=r"database is locked.*raystudy resume s"):
            study.report(0, 2, {"val/robust_accuracy": 0.1})
        other.close()
    again = run_study(tmp_path / "s", url=url, trackers=[second], num_trials=2, resumed=True)
    assert [summary.epoch for summary in again.summaries()] == [Surrogate().epochs] * 2
    assert second.of("trial_started")[0] == (0,)
    assert (0, 2) in second.of("trial_reported")
