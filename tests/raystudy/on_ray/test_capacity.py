"""Concurrency follows a cluster's nodes, up to what its autoscaler may start."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import ray
import yaml
from surrogate_study import open_study

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.on_ray.autoscaler import Autoscaler, configuration
from raystudy.on_ray.capacity import Capacity, most_at_a_time
from raystudy.on_ray.exit_reasons import ExitReasons
from raystudy.on_ray.guard import Guard
from raystudy.on_ray.launches import of_first_version
from raystudy.on_ray.searcher import StudySearcher

GPU_TRIAL = Scaling(use_gpu=True, cpus_per_worker=4, address="auto")
HEAD, NODE = {"CPU": 0.0}, {"CPU": 16.0, "GPU": 4.0}
AWS = {
    "max_workers": 3,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 0, "GPU": 0}},
        "gpu_worker": {"resources": {"CPU": 16, "GPU": 4}, "max_workers": 2},
        "cpu_worker": {"resources": {"CPU": 64}},
    },
}
RACK = {
    "max_workers": 2,
    "head_node_type": "local.cluster.node",
    "available_node_types": {"local.cluster.node": {"resources": {}, "max_workers": 2}},
}


class Demand:
    """Keeps what is asked for; a trial finds no room while `unmet`."""

    def __init__(self):
        self.trials, self.unmet = 0, False

    def ask(self, trials):
        self.trials = trials

    def is_unmet(self):
        return self.unmet


def follow(scaling, nodes, config=None, **settings):
    """Return a capacity that follows a list of nodes, its demand, and what it says."""
    demand, said, notes, now = Demand(), [], [], [0.0]
    capacity = Capacity(
        scaling,
        nodes=lambda: nodes,
        autoscaler=Autoscaler.read(config) if config else None,
        demand=demand,
        say=said.append,
        note=notes.append,
        clock=lambda: now[0],
        **settings,
    )
    return capacity, demand, said, notes, now


@pytest.mark.parametrize(
    ("scaling", "most"),
    [
        (GPU_TRIAL, 8),
        (Scaling(use_gpu=True, num_workers=4, address="auto"), 2),
        (Scaling(cpus_per_worker=32, address="auto"), 6),  # three nodes in all
        (Scaling(cpus_per_worker=16, address="auto"), 12),
    ],
)
def test_an_autoscaler_counts_as_far_as_it_may_go(scaling, most):
    assert most_at_a_time(scaling, [HEAD], Autoscaler.read(AWS)) == most


def test_what_no_node_type_ever_holds_is_refused_with_the_types():
    scaling = Scaling(use_gpu=True, gpus_per_worker=8, address="auto")
    types = r"gpu_worker \(16 CPU and 4 GPU, at most 2\), cpu_worker \(64 CPU and 0 GPU, at most 3"
    with pytest.raises(UserError, match=types):
        most_at_a_time(scaling, [HEAD], Autoscaler.read(AWS))


def test_machines_of_which_nothing_is_known_are_waited_for_until_all_are_there():
    rack = Autoscaler.read(RACK)
    assert most_at_a_time(GPU_TRIAL, [HEAD], rack) is None
    assert most_at_a_time(GPU_TRIAL, [HEAD, NODE], rack) == 4
    with pytest.raises(UserError, match=r"local\.cluster\.node \(as its machines are"):
        most_at_a_time(GPU_TRIAL, [HEAD, HEAD, HEAD], rack)


def test_from_zero_it_asks_for_what_is_left_and_says_so_and_follows_the_nodes():
    nodes = [HEAD]
    capacity, demand, said, notes, _ = follow(GPU_TRIAL, nodes, AWS)
    capacity.refresh(0, 20)
    assert (capacity.trials, demand.trials) == (0, 8)
    assert "waiting since" in said[-1]
    assert "gpu_worker (16 CPU and 4 GPU, at most 2)" in said[-1]
    assert notes[-1].trials == ()
    nodes.append(NODE)
    capacity.refresh(0, 20)  # trials are handed out now: what asks for nodes must not take room
    assert (capacity.trials, demand.trials) == (4, 0)
    assert said[-1] == "room for 4 trials at a time now"
    assert notes[-1] is None
    capacity.refresh(4, 16)
    assert demand.trials == 4
    capacity.refresh(4, 1)  # the study's last five trials
    assert demand.trials == 1
    nodes.remove(NODE)
    capacity.refresh(3, 0, [7, 8, 9])
    assert capacity.trials == 0
    capacity.release()
    assert demand.trials == 0


def test_a_trial_that_finds_no_room_comes_before_what_asks_for_more():
    capacity, demand, said, notes, now = follow(GPU_TRIAL, [HEAD, NODE], AWS)
    demand.unmet = True
    capacity.refresh(4, 10, [3])
    assert demand.trials == 0
    assert said == []
    now[0] = 60.0
    capacity.refresh(4, 10, [3])
    assert "trial 3 has been waiting since" in said[-1]
    assert notes[-1].trials == (3,)
    demand.unmet = False
    capacity.refresh(4, 10, [])
    assert (demand.trials, notes[-1]) == (4, None)


def test_machines_that_join_late_are_used_without_an_autoscaler():
    nodes = [NODE]
    capacity, demand, said, _, _ = follow(GPU_TRIAL, nodes)
    nodes.append(NODE)
    capacity.refresh(4, 4)
    assert (capacity.trials, demand.trials) == (8, 0)
    assert said == ["room for 8 trials at a time now"]


def test_never_more_than_max_concurrent_are_asked_for():
    scaling = Scaling(use_gpu=True, max_concurrent=3, address="auto")
    nodes = [HEAD]
    capacity, demand, *_ = follow(scaling, nodes, AWS)
    capacity.refresh(0, 20)
    assert demand.trials == 3
    nodes.append(NODE)
    capacity.refresh(0, 20)
    assert capacity.trials == 3


def test_a_study_that_is_stopped_while_it_waits_asks_for_nothing_more():
    capacity, demand, said, notes, _ = follow(GPU_TRIAL, [HEAD], AWS)
    capacity.refresh(0, 20)
    capacity.refresh(0, 0)
    assert (demand.trials, len(said), notes[-1]) == (0, 1, None)


def test_a_head_out_of_reach_for_a_moment_ends_nothing(tmp_path):
    def out_of_reach(*_):
        raise ray.exceptions.RaySystemError("the head does not answer")

    with open_study(tmp_path / "s", num_trials=2) as study:
        capacity = SimpleNamespace(trials=1, refresh=out_of_reach)
        searcher = StudySearcher(Guard(study), capacity, ExitReasons())
        assert searcher.suggest("a")["number"] == 0
        capacity.trials = 0
        assert searcher.suggest("b") is None
        searcher.on_trial_complete("a")
        assert searcher.suggest("b") is None  # none runs, and there is no room: it waits
        study.interrupted = True
        assert searcher.suggest("b") == StudySearcher.FINISHED


def test_it_says_what_the_autoscaler_is_doing():
    report = {
        "pending_launches": {"gpu_worker": 1},
        "pending_nodes": [["10.0.0.7", "gpu_worker", "setting-up"]],
        "node_availability_summary": {
            "node_availabilities": {
                "spot": {
                    "is_available": False,
                    "unavailable_node_information": {
                        "category": "InsufficientInstanceCapacity",
                        "description": "none left\nin us-west-2a",
                    },
                }
            }
        },
    }
    doing = of_first_version(report)
    assert doing == (
        "is starting 2 gpu_worker and could not start spot (InsufficientInstanceCapacity: "
        "none left in us-west-2a)"
    )
    capacity, _, said, *_ = follow(GPU_TRIAL, [HEAD], AWS, launches=lambda: doing)
    capacity.refresh(0, 1)
    assert "is starting 2 gpu_worker" in said[-1]


def test_the_limits_are_read_from_the_file_that_rays_monitor_was_started_with(tmp_path):
    (tmp_path / "ray_bootstrap_config.yaml").write_text(yaml.safe_dump(AWS))
    monitor = subprocess.Popen(
        [
            *(sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"),
            "--gcs-address=10.0.0.1:46379",
            "--autoscaling-config=ray_bootstrap_config.yaml",
        ],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with monitor:
        monitor.stdout.readline()
        assert configuration("46379") == AWS
        assert configuration("46380") is None
        monitor.stdin.close()
