"""Fixtures for every test."""

import gc
import os

# Before torch is imported: tests run side by side, and what is exact to the last bit is so on CPUs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import hypothesis
import pytest
from expected_skips import pytest_make_collect_report as pytest_make_collect_report
from expected_skips import pytest_runtest_makereport as pytest_runtest_makereport

# Of what a test process imports, little is garbage: looking for it took 6 % of the time.
gc.set_threshold(10_000, 50, 50)

# The first example of a test pays for imports, and machines are shared: time decides nothing.
hypothesis.settings.register_profile("raystudy", deadline=None, max_examples=40)
hypothesis.settings.load_profile("raystudy")


@pytest.fixture(scope="session")
def run_ranks():
    """Run a function on several ranks: ``run_ranks(fn, *arguments, world_size=2) -> list``.

    The processes are started once per world size and serve all tests; after an error they are
    started anew.
    """
    from ranks import Ranks  # torch, which the process that hands out tests does without

    groups = {}

    def run(fn, *arguments, world_size=2):
        if world_size not in groups:
            groups[world_size] = Ranks(world_size)
        try:
            return groups[world_size].run(fn, *arguments)
        except Exception:
            groups.pop(world_size).close()
            raise

    yield run
    for group in groups.values():
        group.close()
