"""Checks that the tracker, databases and Ray respond."""

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from omegaconf import DictConfig

from raystudy.cli.doctor.check import Check, python
from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.storage.answering import database_silence
from raystudy.storage.redaction import redact
from raystudy.study.open_tracker import open_tracker
from raystudy.terminal import size

DASHBOARD_LIMIT_S = 3.0
CONNECT_LIMIT_S = 5.0
LOOPBACK = ("127.", "localhost", "[::1]", "::1")

_SELECT = """
import sys, sqlalchemy
with sqlalchemy.create_engine(sys.argv[1]).connect() as connection:
    connection.execute(sqlalchemy.text("select 1"))
"""


def check_tracker(settings: DictConfig) -> list[Check]:
    """Check that the tracker would keep a study now."""
    try:
        found = open_tracker(settings)
    except UserError as error:
        return [Check("tracker", "wrong", str(error))]
    return [Check(found.name, *found.health())]


def check_database(url: str | None) -> list[Check]:
    """Check that the database of Optuna's studies responds, if one is set."""
    if url is None:
        return []
    if wrong := database_silence(url) or python(_SELECT, url)[1]:
        advice = (
            "no study can run without it; study.storage=null uses a journal in the study's folder"
        )
        return [Check("study.storage", "wrong", f"{redact(url)}: {redact(wrong)[:300]}", advice)]
    return [Check("study.storage", "well", f"{redact(url)} responds")]


def check_ray(scaling: Scaling) -> list[Check]:
    """Check that the Ray that a study would run on starts, or responds."""
    code = "import sys; from raystudy.on_ray.probe import probe; probe(sys.argv[1])"
    if scaling.address and (reason := unreachable(scaling.address)):
        advice = (
            "start it: 'ray start --head' or 'ray up cluster.yaml'; or set scaling.address=null"
        )
        return [Check("ray", "wrong", reason, advice)]
    answer, wrong = python(code, json.dumps(asdict(scaling)))
    if wrong or not answer:
        advice = "" if scaling.address else "a local Ray starts on 127.0.0.1 and writes to /tmp"
        return [Check("ray", "wrong", wrong or "no output", advice)]
    cluster: Mapping[str, Any] = json.loads(answer)
    where = scaling.address or "starts here, on 127.0.0.1 only"
    resources = (
        f"{cluster['cpus']:g} CPUs, {cluster['gpus']:g} GPUs, {size(cluster['store'])} store"
    )
    growth = f"; its autoscaler starts {cluster['grows_to']}" if cluster["grows_to"] else ""
    started = Check("ray", "well", f"{where}: {resources}{growth}")
    return [
        started,
        check_room(cluster, scaling),
        check_dashboard(cluster["dashboard"], scaling),
    ]


def check_room(cluster: Mapping[str, Any], scaling: Scaling) -> Check:
    """Check that a trial fits what Ray has, or what its autoscaler may start."""
    if "never" in cluster:
        return Check("trials", "wrong", cluster["never"])
    now, most = cluster["trials"], cluster["most"]
    later = "as its machines come" if most is None else f"up to {most}"
    grows = f", {later}" if cluster["grows_to"] else ""
    return Check("trials", "well", f"{now} at a time now{grows}: {scaling.words}")


def unreachable(address: str) -> str:
    """Return why ``host:port`` does not respond, for which Ray itself would wait a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):  # such as auto
        return ""
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_LIMIT_S):
            return ""
    except OSError as error:
        return f"no response from {address}: {error}"


def check_dashboard(url: str, scaling: Scaling) -> Check:
    """Check who can reach Ray's dashboard: whoever can, can run code."""
    name = "Ray's dashboard"
    if not url:
        if scaling.address or scaling.num_workers > 1:
            found = "is off: stopped trials with several workers would keep their resources"
            return Check(name, "wrong", found, "start Ray without --include-dashboard=false")
        return Check(name, "well", "is off; trials with one worker do not need it")
    if url.startswith(LOOPBACK):
        return Check(name, "well", f"{url}, reachable from this machine only")
    if requires_token(url):
        return Check(name, "well", f"{url}, requires a token")
    advice = (
        "whoever reaches it can run code: 'ray start --dashboard-host=127.0.0.1' or set a token"
    )
    return Check(name, "wrong", f"{url} is open to the network and requires no token", advice)


def requires_token(url: str) -> bool:
    """Return whether a dashboard refuses requests without a token, or does not respond."""
    try:
        with urlopen(f"http://{url}/api/version", timeout=DASHBOARD_LIMIT_S):
            return False
    except HTTPError as error:
        return error.code in (401, 403)
    except (URLError, OSError):
        return True
