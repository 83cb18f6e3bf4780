"""A Ray that does not start."""

import re
from types import SimpleNamespace

import pytest
import ray

from raystudy import terminal
from raystudy.cli import main
from raystudy.config.scaling import Scaling
from raystudy.errors import StudyStalledError
from raystudy.on_ray import patience
from raystudy.on_ray.cluster import connected


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
    assert main.main(["sweep", "swaro", "tracker=none", "study.id=s"]) == 1
    out, err = capsys.readouterr()
    assert "Ray did not start" in out + err
    assert "Traceback" not in out + err


def get_node():
    return ray._private.services.get_node("127.0.0.1:1", "node")


def test_a_node_that_is_late_is_waited_for(monkeypatch, tmp_path):
    answers = iter([RuntimeError("not yet")] * 3)

    def late(*_):
        for error in answers:
            raise error
        return {"state": "ALIVE"}

    monkeypatch.setattr(ray._private.services, "get_node", late)
    patience.start(get_node, tmp_path)
    assert ray._private.services.get_node is late


def test_a_ray_that_gave_itself_up_for_slowness_is_started_again(monkeypatch, tmp_path):
    monkeypatch.setattr(patience, "SLOW_S", 0.0)
    outcomes = iter([patience.NodeEndedError("its node process ended"), None])

    def slow():
        if (error := next(outcomes)) is not None:
            raise error

    patience.start(slow, tmp_path)
    assert next(outcomes, "none left") == "none left"


def test_a_ray_that_fails_at_once_is_not_started_again(tmp_path):
    attempts = []

    def fail():
        attempts.append(1)
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        patience.start(fail, tmp_path)
    assert len(attempts) == 1


def test_it_is_said_what_is_waited_for_and_how_busy_the_machine_is(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(terminal, "SAY_AFTER_S", 0.01)
    said = []

    def slow():
        while not "".join(said):
            said.append(capsys.readouterr().err)

    patience.start(slow, tmp_path)
    assert re.match(r"waiting for Ray to start, \d+ s so far \(.* \d+ on \d+ CPUs\)", "".join(said))


def test_limits_that_the_user_has_set_stay(monkeypatch):
    monkeypatch.setenv("RAY_worker_register_timeout_seconds", "7")
    assert "RAY_worker_register_timeout_seconds" in patience.ENVIRONMENT
    assert "RAY_worker_register_timeout_seconds" not in patience.unless_set(patience.ENVIRONMENT)


def test_started_again_its_node_finds_its_helpers_ports(monkeypatch, tmp_path):
    monkeypatch.setattr(patience, "SLOW_S", 0.0)
    node_class, node_id = ray._private.node.Node, ray.NodeID.from_random().hex()
    monkeypatch.setattr(node_class, "start_ray_processes", lambda _: None)
    node = SimpleNamespace(
        _ray_params=SimpleNamespace(), _session_dir=str(tmp_path), _node_id=node_id
    )
    attempts = []

    def slow():
        node_class.start_ray_processes(node)
        attempts.append(dict(vars(node._ray_params)))
        if len(attempts) == 1:
            raise patience.NodeEndedError("its node process ended")

    patience.start(slow, tmp_path)
    asked = {
        name: ray._raylet.wait_for_persisted_port(str(tmp_path), node_id, name, timeout_ms=0)
        for name in patience.PORTS
    }
    assert attempts == [{}, asked]
    assert len(set(asked.values())) == len(patience.PORTS)
