"""What a trial's process computes on."""

import os

import pytest
import torch

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.on_ray.devices import use_devices


@pytest.fixture(autouse=True)
def put_back(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_a_trial_that_was_given_no_gpu_sees_none():
    use_devices(Scaling(cpus_per_worker=3))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert torch.get_num_threads() == 3
    assert not torch.cuda.is_available()


def test_less_than_a_cpu_is_a_thread():
    use_devices(Scaling(cpus_per_worker=0.25))
    assert torch.get_num_threads() == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU")
def test_a_gpu_that_torch_does_not_see_is_said():
    with pytest.raises(UserError, match="does not see"):
        use_devices(Scaling(use_gpu=True))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
