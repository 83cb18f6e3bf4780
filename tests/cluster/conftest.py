"""Hosts for tests of clusters."""

import tempfile
from pathlib import Path

import pytest
from hosts import Hosts, missing


@pytest.fixture(scope="module")
def make_hosts():
    """Return a function that makes a laptop, a head and so many workers."""
    if reason := missing():
        pytest.skip(f"hosts made of namespaces: {reason}")
    made = []

    def make(workers):
        made.append(Hosts(Path(tempfile.mkdtemp(prefix="bed", dir="/tmp"))))
        made[-1].do("up", str(workers))
        return made[-1]

    yield make
    for hosts in made:
        hosts.close()
