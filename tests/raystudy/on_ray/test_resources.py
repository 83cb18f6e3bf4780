"""How many trials fit, and what is refused before anything starts."""

import pytest

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.on_ray.capacity import most_at_a_time
from raystudy.on_ray.resources import trials_that_fit

LAPTOP = [{"CPU": 4.0}]
NODES = [{"CPU": 1.0}, {"CPU": 8.0, "GPU": 2.0}, {"CPU": 8.0, "GPU": 2.0}]


@pytest.mark.parametrize(
    ("scaling", "nodes", "at_a_time"),
    [
        (Scaling(), LAPTOP, 4),
        (Scaling(cpus_per_worker=3), LAPTOP, 1),
        (Scaling(num_workers=2), LAPTOP, 2),
        (Scaling(cpus_per_worker=5), NODES, 2),  # not floor(17 / 5): a worker has one node
        (Scaling(use_gpu=True), NODES, 4),
        (Scaling(use_gpu=True, num_workers=4), NODES, 1),
        (Scaling(use_gpu=True, gpus_per_worker=0.1, cpus_per_worker=0.1), NODES, 40),
        (Scaling(use_gpu=True, gpus_per_worker=0.25), NODES, 16),
    ],
)
def test_as_many_trials_run_as_the_nodes_hold(scaling, nodes, at_a_time):
    assert trials_that_fit(scaling, nodes) == at_a_time


@pytest.mark.parametrize(
    ("scaling", "says"),
    [
        (Scaling(num_workers=8), "8 workers with 1 CPU each"),
        (Scaling(cpus_per_worker=5), "1 worker with 5 CPU each"),
        (Scaling(use_gpu=True), "set scaling.use_gpu=false"),
    ],
)
def test_what_can_never_fit_is_refused(scaling, says):
    with pytest.raises(UserError, match=says):
        most_at_a_time(scaling, LAPTOP, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_workers": 0},
        {"gpus_per_worker": 1.5},
        {"use_gpu": True, "num_workers": 2, "gpus_per_worker": 0.5},
        {"object_store_mb": 10},
        {"max_concurrent": 0},
    ],
)
def test_scaling_refuses_what_makes_no_sense(wrong):
    with pytest.raises(UserError, match="scaling"):
        Scaling(**wrong)
