"""A Ray that does not start."""

import pytest
import ray

from raystudy import cli
from raystudy.errors import StudyStalledError
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.scaling import Scaling


def no_start(**_):
    raise Exception("The current node timed out during startup. This could happen because ...\n!")


def test_a_ray_that_does_not_start_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(ray, "init", no_start)
    with (
        pytest.raises(StudyStalledError, match=r"did not start .*timed out.* MiB are free in /tmp"),
        connected(Scaling()),
    ):
        pass


def test_the_command_line_prints_it_and_fails(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(ray, "init", no_start)
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    assert cli.main(["sweep", "swaro", "tracker=none", "study.id=s"]) == 1
    out, err = capsys.readouterr()
    assert "Ray did not start" in out + err
    assert "Traceback" not in out + err
