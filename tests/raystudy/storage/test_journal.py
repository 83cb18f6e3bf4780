"""The journal: Optuna's format, whole transactions, torn ends."""

import json

import pytest
from optuna.storages.journal import JournalFileBackend

from raystudy.errors import UserError
from raystudy.storage.journal import Journal


def test_optuna_reads_what_is_written(tmp_path):
    journal = Journal(tmp_path / "journal.log")
    journal.append_logs([{"op_code": 0}, {"op_code": 1, "value": float("inf")}])
    assert list(JournalFileBackend(str(tmp_path / "journal.log")).read_logs(0)) == [
        {"op_code": 0},
        {"op_code": 1, "value": float("inf")},
    ]
    assert list(journal.read_logs(1)) == [{"op_code": 1, "value": float("inf")}]


def test_a_transaction_is_written_at_its_end_nested_ones_included(tmp_path):
    path = tmp_path / "journal.log"
    journal = Journal(path)
    with journal.transaction():
        with journal.transaction(durable=False):
            journal.append_logs([{"op_code": 0}])
        assert path.read_bytes() == b""
        assert list(journal.read_logs(0)) == [{"op_code": 0}]
    assert path.read_text() == '{"op_code":0}\n'


def test_operations_that_were_taken_in_are_forgotten_but_not_on_disk(tmp_path):
    journal = Journal(tmp_path / "journal.log")
    journal.append_logs([{"op_code": number} for number in range(5)])
    assert list(journal.read_logs(3)) == [{"op_code": 3}, {"op_code": 4}]
    journal.append_logs([{"op_code": 5}])
    assert list(journal.read_logs(5)) == [{"op_code": 5}]
    assert list(journal.read_logs(6)) == []
    assert len(list(Journal(tmp_path / "journal.log").read_logs(0))) == 6


def fail_after_appending(journal):
    with journal.transaction():
        journal.append_logs([{"op_code": 0}])
        raise RuntimeError


def test_what_was_appended_before_an_error_is_kept(tmp_path):
    with pytest.raises(RuntimeError):
        fail_after_appending(Journal(tmp_path / "journal.log"))
    assert list(Journal(tmp_path / "journal.log").read_logs(0)) == [{"op_code": 0}]


def test_a_torn_last_line_is_cut_off(tmp_path):
    path = tmp_path / "journal.log"
    path.write_bytes(b'{"op_code":0}\n{"op_co')
    journal = Journal(path)
    journal.append_logs([{"op_code": 5}])
    assert [json.loads(line)["op_code"] for line in path.read_text().splitlines()] == [0, 5]


def test_a_damaged_journal_is_told(tmp_path):
    path = tmp_path / "journal.log"
    path.write_bytes(b'{"op_co\n{"op_code":0}\n')
    with pytest.raises(UserError, match=r"journal\.log is damaged"):
        Journal(path)


def test_memory_holds_what_a_later_driver_reads(tmp_path):
    journal = Journal(tmp_path / "journal.log")
    journal.append_logs([{"values": (1, 2), "attributes": {3: "x"}}])
    assert list(journal.read_logs(0)) == list(Journal(tmp_path / "journal.log").read_logs(0))
