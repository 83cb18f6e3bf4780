"""The cluster launcher file, read by Ray's own validator."""

import re
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from raystudy import __version__

CLUSTER = Path(__file__).parents[1] / "cluster.yaml"
COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)


@pytest.fixture(scope="module")
def cluster():
    return yaml.safe_load(CLUSTER.read_text())


@pytest.fixture(scope="module")
def commands(cluster):
    return [command for group in COMMANDS for command in cluster[group]]


def test_ray_accepts_the_file(cluster):
    validate_config(cluster)
    validate_config(prepare_config(cluster))


def test_gpu_workers_scale_from_zero_and_trials_stay_off_the_head(cluster):
    nodes = cluster["available_node_types"]
    assert nodes[cluster["head_node_type"]]["resources"] == {"CPU": 0, "GPU": 0}
    assert nodes["gpu_worker"]["min_workers"] == 0
    assert 0 < nodes["gpu_worker"]["max_workers"] <= cluster["max_workers"]


def test_every_ray_is_started_with_token_authentication(commands):
    starts = [command for command in commands if "ray start" in command]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in command for command in starts)


def test_the_token_travels_as_a_file_and_no_command_holds_a_secret(cluster, commands):
    assert cluster["file_mounts"] == {"/home/ubuntu/.ray/auth_token": "~/.ray/auth_token"}
    secret = re.compile(r"RAY_AUTH_TOKEN|password|secret|AKIA|://[^/\s]*:[^/\s]*@", re.IGNORECASE)
    assert [command for command in commands if secret.search(command)] == []


def test_the_dashboard_listens_on_the_heads_loopback_only(cluster):
    (start,) = [c for c in cluster["head_start_ray_commands"] if "ray start" in c]
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in CLUSTER.read_text()


def test_the_version_that_is_installed_is_this_one(commands):
    (install,) = [command for command in commands if "uv pip install" in command]
    assert f"raystudy=={__version__}" in install
