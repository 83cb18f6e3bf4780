"""What the process keeps."""

import subprocess
import sys

import pytest
import torch

from trainables.memory import for_convolutions, is_channels_last

CODE = """
import resource, torch
from trainables.memory import keep_freed_memory
assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def use():
    return torch.ones(64 * 2**20 // 4).sum()
for _ in range(8):  # until the heap has found its shape
    use()
fetched = []
for _ in range(20):  # the system may take pages back at any moment, but not every time
    before = faults()
    use()
    fetched.append(faults() - before)
print(min(fetched))
"""


def test_large_blocks_are_not_fetched_anew():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    pages_of_a_block = 64 * 2**20 // 4096
    assert int(done.stdout) < pages_of_a_block / 2


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "becomes_last"), [(8, False), (15, False), (16, True)])
def test_small_images_stay_planar(channels, side, becomes_last):
    images = torch.rand(2, channels, side, side)
    laid_out = for_convolutions(images)
    assert torch.equal(laid_out, images)
    # Of one channel, strides alone tell; a network goes by them.
    assert (laid_out.stride(1) == 1) == becomes_last
    assert (torch.nn.Conv2d(channels, 4, 3)(laid_out).stride(1) == 1) == becomes_last


def test_channels_last_stays_so():
    images = torch.rand(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    assert is_channels_last(for_convolutions(images))
