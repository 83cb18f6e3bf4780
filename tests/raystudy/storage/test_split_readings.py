"""The record of who read the test split."""

from raystudy.storage import split_readings


def test_every_touch_is_a_line_that_stays(tmp_path):
    assert split_readings.count(tmp_path) == 0
    split_readings.record(tmp_path, "confirm a-1-confirm", configurations=[0, 7], seeds=[1, 2, 3])
    split_readings.record(tmp_path, "evaluate a-1/7", configurations=[7])
    first, second = split_readings.touches(tmp_path)
    assert first.pop("time").endswith("Z")
    assert first == {
        "what": "confirm a-1-confirm",
        "configurations": [0, 7],
        "seeds": [1, 2, 3],
        "count": 6,
    }
    assert (second["what"], second["count"]) == ("evaluate a-1/7", 1)
    assert split_readings.count(tmp_path) == 2


def test_a_line_torn_by_a_kill_counts_and_spoils_no_other(tmp_path):
    split_readings.record(tmp_path, "one", configurations=[1])
    path = tmp_path / split_readings.FILE
    path.write_text(path.read_text() + '{"time": "2026')
    split_readings.record(tmp_path, "two", configurations=[2])
    assert [touch["what"] for touch in split_readings.touches(tmp_path)][::2] == ["one", "two"]
    assert split_readings.count(tmp_path) == 3
