"""A process group of which this process is the only member there is.

Its collectives return at once and carry nothing: enough for what depends on shapes alone.
"""

from contextlib import contextmanager

from torch import distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore


@contextmanager
def fake_ranks(world_size, *, rank=0):
    """Be one rank of so many."""
    dist.init_process_group("fake", rank=rank, world_size=world_size, store=FakeStore())
    try:
        yield
    finally:
        dist.destroy_process_group()
