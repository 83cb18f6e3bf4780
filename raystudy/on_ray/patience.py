"""Time for a Ray to start on a machine that is busy."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import ray

from raystudy.config.import_path import PATIENCE_S
from raystudy.on_ray.orphans import end_marked, marked
from raystudy.terminal import announced

POLL_EVERY_S = 0.1
PORTS = (
    "runtime_env_agent_port",
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
)
SLOW_S = 20.0  # what fails sooner does not fail because the machine is busy

# For every process of a study: ten times Ray's own limits on how long a process takes to start,
# which imports torch, and on how long one too busy to answer counts as alive.
ENVIRONMENT = {
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
}
# For the processes of a Ray that is started here. Not RAY_raylet_start_wait_time_s: Ray would wait
# that long in its C++, where nobody can see that what it waits for has ended.
LOCAL_ENVIRONMENT = {
    "RAY_gcs_server_port_wait_time_s": f"{PATIENCE_S:.0f}",
    "RAY_agent_register_timeout_ms": f"{1000 * PATIENCE_S:.0f}",
    "RAY_health_check_timeout_ms": "100000",
}


def unless_set(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables that the user's environment does not hold already."""
    return {name: value for name, value in variables.items() if name not in os.environ}


class NodeEndedError(Exception):
    """Ray's node process has ended before it was ready."""


def start(init: Callable[[], object], folder: Path) -> None:
    """Start a Ray of this temporary folder, again whenever it times out on a slow machine.

    Its node process waits 30 s, in C++ and without a setting, for its helpers to say on which
    ports they listen, and then aborts. Where it finds these written down it does not wait; others
    may take them meanwhile, so that this is not what is tried first.
    """
    deadline = time.monotonic() + PATIENCE_S
    ways: list[AbstractContextManager[None]] = [contextlib.nullcontext()]
    with announced("Ray to start"), _patient(folder, deadline):
        while True:
            start_s = time.monotonic()
            try:
                with ways.pop() if ways else _ports_given():
                    init()
                return
            except Exception:
                now = time.monotonic()
                if now > deadline or now - start_s < SLOW_S:
                    raise
                end_marked(folder)


@contextlib.contextmanager
def _ports_given() -> Iterator[None]:
    """Have Ray's node find the ports of its helpers written down already."""
    node = ray._private.node.Node
    start_processes = node.start_ray_processes

    def start_with_ports(self: Any) -> None:
        for name, port in zip(PORTS, _free_ports(len(PORTS)), strict=True):
            setattr(self._ray_params, name, port)
            ray._raylet.persist_port(self._session_dir, self._node_id, name, port)
        start_processes(self)

    node.start_ray_processes = start_with_ports
    try:
        yield
    finally:
        node.start_ray_processes = start_processes


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:  # together, or one might be found twice
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def _patient(folder: Path, deadline: float) -> Iterator[None]:
    """Have Ray wait for its own node and its dashboard for as long as they live."""
    services, constants = ray._private.services, ray._private.ray_constants
    get_node, dashboard_s = services.get_node, constants.RAY_DASHBOARD_STARTUP_TIMEOUT_S

    def wait_for_node(*arguments: Any) -> Any:
        while True:
            try:
                return get_node(*arguments)
            except RuntimeError:
                if _node_has_ended(folder):
                    raise NodeEndedError("its node process ended before it was ready") from None
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_EVERY_S)

    services.get_node = wait_for_node
    constants.RAY_DASHBOARD_STARTUP_TIMEOUT_S = max(dashboard_s, PATIENCE_S)
    try:
        yield
    finally:
        services.get_node = get_node
        constants.RAY_DASHBOARD_STARTUP_TIMEOUT_S = dashboard_s


def _node_has_ended(folder: Path) -> bool:
    """Return whether of a temporary folder's Ray, whose head is there, the raylet is not."""
    names = []
    for pid in marked(folder):  # none where the system has no /proc
        with contextlib.suppress(OSError):
            names.append(Path(f"/proc/{pid}/comm").read_text().strip())
    return bool(names) and "raylet" not in names
