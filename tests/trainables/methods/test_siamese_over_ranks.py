"""BYOL, MSR, SimSiam and MoCo on two ranks have the gradient of one large batch."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainables import distributed
from trainables.batch import Batch
from trainables.distributed import draw_rows
from trainables.methods.byol import BYOL
from trainables.methods.moco import MoCo
from trainables.methods.msr import MSR
from trainables.methods.simsiam import SimSiam
from trainables.methods.simsiam_msr import SimSiamMSR
from trainables.networks import sync_batch_norm
from trainables.networks.small_conv import SmallConv
from trainables.progress import Progress
from trainables.random_state import seed_everything

HALF = Progress(step=5, epoch=0, max_epochs=1, fraction=0.5)
NAMES = ["byol", "msr", "simsiam", "simsiam_msr", "moco"]
IMAGES = 8


def noise(images):
    drawn = draw_rows(lambda n: torch.rand(n, 1, 8, 8, dtype=images.dtype), len(images))
    return (images + 0.3 * drawn).clamp(0, 1)


def make(name):
    seed_everything(0)
    shared = {
        "encoder": SmallConv(channels=1, widths=[4, 8], mean=[0.5], std=[0.5]),
        "augment": noise,
        "embedding_width": 6,
    }
    stages = {"aggressive": noise, "beta_base": 0.6}
    byol = {"hidden_width": 16, "momentum": 0.9}
    simsiam = {"projector_widths": [16], "predictor_width": 4}
    queue = {"projector_width": 16, "momentum": 0.9, "temperature": 0.2, "queue_length": 12}
    method = {
        "byol": lambda: BYOL(**shared, **byol),
        "msr": lambda: MSR(**shared, **byol, **stages),
        "simsiam": lambda: SimSiam(**shared, **simsiam),
        "simsiam_msr": lambda: SimSiamMSR(**shared, **simsiam, **stages),
        "moco": lambda: MoCo(**shared, **queue),
    }[name]()
    return method.double()


class Step(nn.Module):
    """A step as a forward, which is what DDP wraps."""

    def __init__(self, method):
        super().__init__()
        self.method = method

    def forward(self, batch):
        return self.method.training_step(batch, HALF)["loss"]


def rows_of_this_rank():
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(IMAGES, 1, 8, 8, generator=generator, dtype=torch.float64)
    count = IMAGES // distributed.world_size()
    own = images[distributed.rank() * count :][:count]
    return Batch(own, torch.empty(0, dtype=torch.int64), torch.arange(count))


def two_steps(name):
    """Return the gradients of the second step and every buffer after it, queues included."""
    method = make(name)
    step = Step(method)
    if distributed.world_size() > 1:
        sync_batch_norm.convert(method)
        step = DistributedDataParallel(step, broadcast_buffers=False, find_unused_parameters=True)
    torch.manual_seed(7)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        step(rows_of_this_rank()).backward()
        optimizer.step()
        method.after_update(HALF)
    gradients = {n: p.grad for n, p in method.named_parameters() if p.requires_grad}
    return gradients, dict(method.named_buffers())


@pytest.mark.parametrize("name", NAMES)
def test_two_ranks_have_the_gradient_and_the_state_of_one_process(run_ranks, name):
    gradients, buffers = two_steps(name)
    assert all(gradient.any() for gradient in gradients.values())
    for their_gradients, their_buffers in run_ranks(two_steps, name):
        torch.testing.assert_close(their_gradients, gradients, rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(their_buffers, buffers, rtol=1e-8, atol=1e-10)


def test_both_ranks_have_the_same_queue(run_ranks):
    (_, ours), (_, theirs) = run_ranks(two_steps, "moco")
    assert torch.equal(ours["queue"], theirs["queue"])
