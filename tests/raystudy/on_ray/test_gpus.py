"""Which GPUs the processes of trials see, on a Ray that was told of GPUs there are not."""

import os
from collections import Counter

import pytest
import ray
from ray import train
from ray.cluster_utils import Cluster
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from raystudy.config.scaling import Scaling
from raystudy.on_ray.resources import node_totals, selector, trials_that_fit

pytestmark = pytest.mark.ray
NODE = {"num_cpus": 2, "num_gpus": 2, "object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def two_nodes():
    """A head and a node, of two CPUs and two GPUs each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_prestart_worker_first_driver", "0")
        # As without conftest.py, which hides them.
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        node = NODE | {"include_dashboard": False}
        cluster = Cluster(initialize_head=True, connect=True, head_node_args=node)
        cluster.add_node(**node)
        yield
        ray.shutdown()
        cluster.shutdown()


def seen(scaling):
    """Start as many trials as fit, as Tune does; return how many see which GPUs of which node."""

    class Trial:  # here, so that no process imports this file's libraries: 4 s each
        def sees(self):
            node = ray.get_runtime_context().get_node_id()
            return node, os.environ["CUDA_VISIBLE_DEVICES"]

    labels, bundle = selector(scaling), dict(scaling.worker)
    groups = [
        placement_group([bundle], bundle_label_selector=[labels] if labels else None)
        for _ in range(trials_that_fit(scaling, node_totals(scaling)))
    ]
    actors = [
        ray.remote(num_cpus=bundle["CPU"], num_gpus=bundle["GPU"])(Trial)
        .options(scheduling_strategy=PlacementGroupSchedulingStrategy(group))
        .remote()
        for group in groups
    ]
    found = Counter(ray.get([actor.sees.remote() for actor in actors]))
    for actor, group in zip(actors, groups, strict=True):
        ray.kill(actor)
        remove_placement_group(group)
    return found


@pytest.mark.parametrize(
    ("gpus", "visible", "trials", "head"),
    [
        (2, ["0,1"], 1, True),
        pytest.param(1, ["0", "1"], 1, False, marks=pytest.mark.slow),
        (0.5, ["0", "1"], 2, False),
    ],
)
@pytest.mark.usefixtures("two_nodes")
def test_each_trial_sees_its_own_gpus_of_a_node_that_takes_trials_and_fractions_share_one(
    gpus, visible, trials, head
):
    scaling = Scaling(
        use_gpu=True, gpus_per_worker=gpus, cpus_per_worker=0.5, head_takes_trials=head
    )
    nodes = [
        node["NodeID"]
        for node in ray.nodes()
        if head or "node:__internal_head__" not in node["Resources"]
    ]
    assert seen(scaling) == {(node, own): trials for node in nodes for own in visible}


@pytest.mark.slow  # of Ray alone, whose ranks find their GPU by the local rank
@pytest.mark.usefixtures("two_nodes")
def test_workers_that_train_together_see_all_their_nodes_gpus_each_its_own_by_local_rank(tmp_path):
    def worker():
        context, own = train.get_context(), ray.get_runtime_context().get_accelerator_ids()["GPU"]
        visible = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
        is_own = [visible[context.get_local_rank()]] == own
        (tmp_path / str(context.get_world_rank())).write_text(f"{is_own} {sorted(visible)}")

    # On one node: Train tells nodes apart by addresses, which these two share.
    scaling = Scaling(use_gpu=True, num_workers=2)
    TorchTrainer(
        worker,
        torch_config=TorchConfig(backend="gloo"),  # NCCL wants GPUs that are there
        scaling_config=train.ScalingConfig(
            num_workers=2, use_gpu=True, resources_per_worker=dict(scaling.worker)
        ),
        run_config=train.RunConfig(storage_path=str(tmp_path / "train")),
    ).fit()
    assert [(tmp_path / str(rank)).read_text() for rank in (0, 1)] == ["True ['0', '1']"] * 2
