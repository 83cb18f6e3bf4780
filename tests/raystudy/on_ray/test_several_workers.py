"""DDP trials on a Ray cluster of several nodes whose dashboard is off."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util import placement_group_table
from ray_trials import EPOCHS, curve, nodes_of
from surrogate_study import Events, open_study

from raystudy.config.scaling import Scaling
from raystudy.errors import StudyStalledError
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.executor import RayExecutor

pytestmark = pytest.mark.ray
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def scaling():
    """Two nodes of one CPU each, on both of which a trial of two workers runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests' / 'support'}")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_prestart_worker_first_driver", "0")
        node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
        # The head has no room for the trials' drivers, of 300 MiB each.
        head = node | {"memory": 100 * 2**20}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        cluster.add_node(**node)
        scaling = Scaling(num_workers=2, address=cluster.address)
        with connected(scaling):
            yield scaling
        cluster.shutdown()


def run(folder, scaling, *, name, ends=None, **settings):
    events = Events()
    with open_study(folder, trackers=[events], **settings) as study, ends or nullcontext():
        object.__setattr__(study.info, "name", name)
        RayExecutor(scaling, curve).run(study)
    return study, events.of("trial_reported")


def nodes_kept_busy():
    """Return the nodes of the named actors that outlive the study, for which no node goes."""
    return {
        ray.get(ray.get_actor(**name).__ray_call__.remote(node_of_actor))
        for name in ray.util.list_named_actors(all_namespaces=True)
    }


def node_of_actor(_):
    return ray.get_runtime_context().get_node_id()


def assert_nothing_is_held():
    """Compare CPUs and memory; Ray returns them a moment after a process has ended."""
    for _ in range(100):
        free = ray.available_resources()
        if all(free.get(name) == ray.cluster_resources()[name] for name in ("CPU", "memory")):
            break
        ray.get(ray.remote(num_cpus=0)(lambda: None).remote())
    assert free["CPU"] == 2.0
    assert {group["state"] for group in placement_group_table().values()} <= {"REMOVED"}


def test_a_lost_rank_costs_no_epoch(tmp_path, scaling):
    study, reports = run(tmp_path / "s", scaling, name="one_rank_killed", num_trials=1)
    (trial,) = study.summaries()
    assert (trial.state, trial.epoch) == ("complete", EPOCHS)
    assert sorted(reports) == [(0, epoch) for epoch in range(1, EPOCHS + 1)]
    assert_nothing_is_held()
    assert nodes_kept_busy() <= {ray.get_runtime_context().get_node_id()}
    assert len(nodes_of("Mailbox")) == 2
    assert all(node == of_its_owner for node, of_its_owner in nodes_of("Mailbox"))


@pytest.mark.slow
def test_a_pruned_trial_stops_on_all_nodes(tmp_path, scaling):
    settings = {"num_trials": 2, "trial_scheduler": "asha"}
    study, reports = run(tmp_path / "s", scaling, name="one_is_worse", **settings)
    best, worse = study.summaries()
    assert (best.state, best.epoch) == ("complete", EPOCHS)
    assert (worse.state, worse.epoch) == ("pruned", 2)
    assert [report for report in reports if report[0] == 1] == [(1, 1), (1, 2)]
    assert_nothing_is_held()


@pytest.mark.slow
def test_a_rank_whose_disk_is_full_ends_the_study_and_not_the_trial(tmp_path, scaling):
    ends = pytest.raises(StudyStalledError, match="No space left")
    study, reports = run(tmp_path / "s", scaling, name="disk_full_in_0", ends=ends, num_trials=1)
    assert study.summaries() == []
    assert reports == [(0, 1), (0, 2), (0, 3)]
    assert_nothing_is_held()
