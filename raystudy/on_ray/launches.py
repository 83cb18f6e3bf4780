"""What a cluster's autoscaler is doing, in words."""

import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import ray
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.experimental.internal_kv import _internal_kv_get

FIRST_VERSION = "__autoscaling_status"  # where the first autoscaler leaves its report
LONGEST_REASON = 200  # characters


def launches() -> str:
    """Return which nodes are being started and which could not be; empty: none, or not known."""
    with contextlib.suppress(Exception):  # only shown
        if report := _internal_kv_get(FIRST_VERSION):
            return of_first_version(json.loads(report)["autoscaler_report"])
        status = get_cluster_status(ray.get_runtime_context().gcs_address)
        starting = Counter(node.ray_node_type_name for node in status.pending_nodes)
        for launch in status.pending_launches:
            starting[launch.ray_node_type_name] += launch.count
        failed = {one.ray_node_type_name: one.details or "" for one in status.failed_launches}
        return _words(starting, failed)
    return ""


def of_first_version(report: Mapping[str, Any]) -> str:
    starting = Counter(report.get("pending_launches") or {})
    starting.update(node_type for _, node_type, _ in report.get("pending_nodes") or [])
    summary = report.get("node_availability_summary") or {}
    failed = {}
    for node_type, record in (summary.get("node_availabilities") or {}).items():
        if not record["is_available"]:
            reason = record.get("unavailable_node_information") or {}
            failed[node_type] = f"{reason.get('category')}: {reason.get('description')}"
    return _words(starting, failed)


def _words(starting: Mapping[str, int], failed: Mapping[str, str]) -> str:
    nodes = ", ".join(f"{count} {node_type}" for node_type, count in starting.items() if count)
    said = [f"is starting {nodes}"] if nodes else []
    for node_type, reason in failed.items():
        said.append(f"could not start {node_type} ({' '.join(reason.split())[:LONGEST_REASON]})")
    return " and ".join(said)
