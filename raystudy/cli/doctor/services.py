"""Whether the tracker, databases and Ray answer."""

import json
import socket
from collections.abc import Mapping
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


def tracker(settings: DictConfig) -> list[Check]:
    """Return whether the tracker would keep a study now."""
    try:
        found = open_tracker(settings)
    except UserError as error:
        return [Check("tracker", "wrong", str(error))]
    return [Check(found.name, *found.health())]


def database(url: str | None) -> list[Check]:
    """Return whether the database for Optuna's studies answers, if one is asked for."""
    if url is None:
        return []
    if wrong := database_silence(url) or python(_SELECT, url)[1]:
        advice = "without it no study runs; study.storage=null keeps a journal in its folder"
        return [Check("study.storage", "wrong", f"{redact(url)}: {redact(wrong)[:300]}", advice)]
    return [Check("study.storage", "well", f"{redact(url)} answers")]


def ray(scaling: Scaling) -> list[Check]:
    """Start, or reach, the Ray that a study would run on."""
    code = (
        "import sys; from raystudy.on_ray.probe import probe; "
        "probe(sys.argv[1] or None, int(sys.argv[2]), sys.argv[3] == 'dashboard')"
    )
    if scaling.address and (reason := unreachable(scaling.address)):
        advice = "'ray start --head' or 'ray up cluster.yaml' starts one; or scaling.address=null"
        return [Check("ray", "wrong", reason, advice)]
    dashboard = "dashboard" if scaling.num_workers > 1 else ""
    arguments = (scaling.address or "", str(scaling.object_store_mb), dashboard)
    answer, wrong = python(code, *arguments)
    if wrong or not answer:
        advice = "" if scaling.address else "a local Ray starts on 127.0.0.1 and writes to /tmp"
        return [Check("ray", "wrong", wrong or "it said nothing", advice)]
    told: Mapping[str, Any] = json.loads(answer)
    where = scaling.address or "starts here, on 127.0.0.1 alone"
    found = f"{where}: {told['cpus']:g} CPUs, {told['gpus']:g} GPUs, {size(told['store'])} store"
    return [Check("ray", "well", found), dashboard_check(told["dashboard"], scaling)]


def unreachable(address: str) -> str:
    """Return why nothing answers at ``host:port``, on which Ray itself would wait a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):  # auto, say
        return ""
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_LIMIT_S):
            return ""
    except OSError as error:
        return f"nothing answers at {address}: {error}"


def dashboard_check(url: str, scaling: Scaling) -> Check:
    """Return who may reach Ray's dashboard, behind which anyone may run anything."""
    name = "Ray's dashboard"
    if not url:
        if scaling.address or scaling.num_workers > 1:
            found = "is off: stopped trials of several workers would keep their resources"
            return Check(name, "wrong", found, "start Ray without --include-dashboard=false")
        return Check(name, "well", "is off; trials of one worker need none")
    if url.startswith(LOOPBACK):
        return Check(name, "well", f"{url}, reachable from this machine only")
    if is_guarded(url):
        return Check(name, "well", f"{url}, asks for a token")
    advice = "whoever reaches it runs code there: 'ray start --dashboard-host=127.0.0.1' or a token"
    return Check(name, "wrong", f"{url} is open to the network and asks for no token", advice)


def is_guarded(url: str) -> bool:
    """Return whether a dashboard turns away who brings no token, or does not answer at all."""
    try:
        with urlopen(f"http://{url}/api/version", timeout=DASHBOARD_LIMIT_S):
            return False
    except HTTPError as error:
        return error.code in (401, 403)
    except (URLError, OSError):
        return True
