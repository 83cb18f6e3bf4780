"""Random streams survive a checkpoint."""

import random

import numpy as np
import pytest
import torch

from trainables import random_state


def draws():
    return torch.randn(3).tolist(), np.random.randn(3).tolist(), random.random()


def test_every_stream_goes_on_where_it_was_captured(tmp_path):
    random_state.seed_everything(7)
    draws()
    torch.save(random_state.capture(), tmp_path / "state")
    expected = draws()
    random_state.seed_everything(8)
    random_state.restore(torch.load(tmp_path / "state", weights_only=True))
    assert draws() == expected


def test_the_seed_decides_every_stream():
    random_state.seed_everything(7)
    first = draws()
    random_state.seed_everything(7)
    assert draws() == first


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_beyond_what_torch_takes_is_refused(seed):
    with pytest.raises(ValueError, match=rf"^seed must be between 0 and .*, got {seed}\.$"):
        random_state.seed_everything(seed)


def test_the_largest_seed_is_taken():
    random_state.seed_everything(2**63 - 1)
