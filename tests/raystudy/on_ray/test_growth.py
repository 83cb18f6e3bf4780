"""A study on a cluster that has no CPU until its autoscaler starts nodes."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from socket import socket
from threading import Event

import pytest
import ray
import yaml
from ray.util import placement_group_table
from ray_trials import EPOCHS, curve, nodes_of
from surrogate_study import Events, open_study

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.on_ray.autoscaler import find
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.evaluations import measure_on_ray
from raystudy.on_ray.executor import RayExecutor

pytestmark = pytest.mark.ray
ROOT = Path(__file__).parents[3]
HEAD = "f" * 51 + "00000"  # the provider numbers its nodes from here
STORE = 80 * 2**20
MEMORY = "2000000000"


def config(port):
    """Return a cluster of at most two nodes of one CPU, on this machine."""
    provider = {
        "type": "fake_multinode",
        "head_node_id": HEAD,
        "gcs_address": f"127.0.0.1:{port}",
        "use_node_id_as_ip": True,
        "disable_launch_config_check": True,
        "disable_node_updaters": True,
    }
    node = {"CPU": 1, "object_store_memory": STORE}
    types = {
        "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "small": {"resources": node, "node_config": {}, "min_workers": 0, "max_workers": 2},
    }
    commands = ["setup", "head_setup", "worker_setup", "initialization"]
    return {
        "cluster_name": "fake",
        "max_workers": 4,
        "idle_timeout_minutes": 0.05,
        "provider": provider,
        "auth": {},
        "available_node_types": types,
        "head_node_type": "ray.head.default",
        "file_mounts": {},
        "cluster_synced_files": [],
        **{f"{name}_commands": [] for name in [*commands, "head_start_ray", "worker_start_ray"]},
    }


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Start a head whose autoscaler may start nodes; end all of it by its process group."""
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = tmp_path_factory.mktemp("growth") / "cluster.yaml"
    file.write_text(yaml.safe_dump(config(port)))
    environment = {
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "0",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}",
    }
    start = f"--head --block --port={port} --node-ip-address=127.0.0.1 --num-cpus=0 --num-gpus=0"
    options = f"--object-store-memory={STORE} --memory={MEMORY} --include-dashboard=false"
    command = [*start.split(), *options.split(), f"--autoscaling-config={file}"]
    head = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with head:
        said = ""
        while "--block" not in said and (line := head.stdout.readline()):
            said += line
        assert head.poll() is None, said
        yield f"127.0.0.1:{port}"
        head.terminate()
        head.stdout.read()


def alive():
    """Return the CPUs of each living node but the head."""
    return [node["Resources"].get("CPU") for node in ray.nodes() if node["Alive"]]


def measured(scaling):
    """Measure two networks, made up, as `evaluate` does."""
    return measure_on_ray(["a", "b"], lambda order, _: {"order": order}, None, scaling)


def test_it_grows_from_zero_refuses_the_impossible_and_gives_its_nodes_back(
    address, tmp_path, capfd
):
    scaling = Scaling(address=address)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        with connected(scaling):
            assert [one.name for one in find().node_types] == ["small"]
            assert alive() == [None]
            types = r"small \(1 CPU and 0 GPU, at most 2\)"
            with open_study(tmp_path / "never") as study, pytest.raises(UserError, match=types):
                RayExecutor(Scaling(address=address, cpus_per_worker=2), curve).run(study)

            events = Events()
            with open_study(tmp_path / "s", trackers=[events], num_trials=6) as study:
                RayExecutor(scaling, curve).run(study)
            assert {summary.state for summary in study.summaries()} == {"complete"}
            assert len(events.of("trial_reported")) == 6 * EPOCHS
            said = capfd.readouterr().err
            assert "waiting since" in said
            assert "room for 1 trial at a time now" in said or "room for 2 trials" in said
            assert {group["state"] for group in placement_group_table().values()} == {"REMOVED"}
            assert measured(scaling) == [{"order": "a"}, {"order": "b"}]
            ((board, driver),) = nodes_of("_Board")  # any other node may go at any time
            assert board == driver == HEAD
            with pytest.raises(UserError, match=types):
                measured(Scaling(address=address, cpus_per_worker=2))
            while alive() != [None]:  # nothing is asked for any more: its nodes go
                Event().wait(0.2)
