"""What a cluster's autoscaler may start, as its own configuration file says."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raystudy.on_ray.resources import Resources, head_node, words, workers_on
from raystudy.terminal import announced

FILE, ADDRESS = "--autoscaling-config=", "--gcs-address="  # arguments of Ray's monitor process


@dataclass(frozen=True, kw_only=True)
class NodeType:
    """A kind of node.

    Parameters
    ----------
    name : str
    resources : mapping of str to float
        Of one node; empty where only the machine itself knows, as with a list of machines.
    most : int
        Nodes of it at a time.
    """

    name: str
    resources: Resources
    most: int

    def __str__(self) -> str:
        holds = words(self.resources) if self.resources else "as its machines are"
        return f"{self.name} ({holds}, at most {self.most})"


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """What it may start.

    Parameters
    ----------
    node_types : tuple of NodeType
        Those of which it may start a node.
    most : int
        Nodes of all types at a time, the head not counted.
    """

    node_types: tuple[NodeType, ...]
    most: int

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> "Autoscaler":
        """Read a cluster's configuration."""
        most = int(config.get("max_workers", 2))
        head, types = config.get("head_node_type"), []
        for name, settings in (config.get("available_node_types") or {}).items():
            own = int(settings.get("max_workers", 0 if name == head else most))
            if own > 0:
                resources = settings.get("resources") or {}
                known = {key: float(value) for key, value in resources.items()}
                types.append(NodeType(name=name, resources=known, most=own))
        return cls(node_types=tuple(types), most=most)

    @property
    def is_known(self) -> bool:
        """Whether it is known what each of its nodes holds."""
        return all(one.resources for one in self.node_types)

    def workers(self, worker: Resources) -> int:
        """Return how many workers of trials its nodes hold when it has started all it may."""
        left, total = self.most, 0
        each = [(workers_on(one.resources, worker), one.most) for one in self.node_types]
        for workers, most in sorted(each, reverse=True):
            nodes = min(most, left)
            total, left = total + workers * nodes, left - nodes
        return total

    def __str__(self) -> str:
        types = ", ".join(map(str, self.node_types)) or "nothing"
        several = f" and {self.most} in all" if len(self.node_types) > 1 else ""
        return f"{types}{several}"


def find() -> Autoscaler | None:
    """Return the autoscaler of the cluster this process is connected to; None: it has none.

    Nothing in Ray keeps the limits where other nodes could read them: the head's monitor process
    has them in the file that its command line names.
    """
    head = head_node()
    if head is None:
        return None
    context = ray.get_runtime_context()
    port = context.gcs_address.rpartition(":")[2]
    if head["NodeID"] == context.get_node_id():
        config = configuration(port)
    else:
        there = NodeAffinitySchedulingStrategy(head["NodeID"], soft=False)
        task = ray.remote(num_cpus=0, scheduling_strategy=there)(configuration)
        with announced("the head node to say what its autoscaler may start"):
            config = ray.get(task.remote(port))
    return Autoscaler.read(config) if config is not None else None


def configuration(port: str) -> dict[str, Any] | None:
    """Return the configuration of the autoscaler that runs on this machine.

    Parameters
    ----------
    port : str
        Of its Ray's head, by which several on a machine differ.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_text(errors="replace").split("\0")
            given = {name: _given(arguments, name) for name in (FILE, ADDRESS)}
            if given[FILE] and given[ADDRESS].rpartition(":")[2] == port:
                path = (process / "cwd").readlink() / Path(given[FILE]).expanduser()
                config: dict[str, Any] = yaml.safe_load(path.read_text())
                return config
    return None


def _given(arguments: list[str], name: str) -> str:
    values = (one.removeprefix(name) for one in arguments if one.startswith(name))
    return next(values, "")
