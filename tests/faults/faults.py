"""What is done to a running study: each takes its folder and driver, and tells if it struck."""
# ruff: noqa: ARG001  (all are called alike)

import contextlib
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from studies import ONE_WORKER, STUDY, TWO_WORKERS, ours

UPLOAD, HEAD = "raystudy.trackers.mlflow.upload_process", "gcs_server"
DISK_BYTES = 64 * 2**20
SPARE_BYTES = 300_000  # left on the disk at most: a checkpoint does not fit, an event may
LOCKED_S = 8.0
ABSENT_S = 5.0


def kill_driver(number):
    def strike(home, driver):
        os.kill(driver.pid, number)
        return True

    return strike


def kill_one(words):
    """Kill a process whose command line has these words."""

    def strike(home, driver):
        return kill([pid for pid, line in ours(home) if words in line and pid != driver.pid][:1])

    return strike


def kill_trainer(home, driver):
    return kill(trainers(home)[:1])


def kill_rank(home, driver):
    """Kill one of several processes that train a trial together."""
    ranks = [pid for pid, line in ours(home) if "RayTrainWorker" in line]
    return kill(random.sample(ranks, min(1, len(ranks))))


def kill_helper(home, driver):
    """Kill what drives such a trial, or another of Ray's processes around it."""
    helpers = [
        pid for pid in trainers(home) if "RayTrainWorker" not in dict(ours(home)).get(pid, "")
    ]
    return kill(random.sample(helpers, min(1, len(helpers))))


def trainers(home):
    return [pid for pid, line in ours(home) if line.startswith("ray::") and "IDLE" not in line]


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(pids)


def kill_starting_head(home, driver):
    """Kill Ray's head before its node has found it."""
    strike = kill_one(HEAD)
    while driver.poll() is None:
        if strike(home, driver):
            return True
    return False


def kill_when(sign, victims):
    """Kill as soon as there is a sign in the study's folder."""

    def strike(home, driver):
        while driver.poll() is None:
            if sign(home / "studies" / STUDY):
                return kill(victims(home, driver))
        return False

    return strike


def half_written(study):
    """Whether a checkpoint is being written."""
    return any(study.glob("trials/*/*.part"))


def at_the_end(study):
    """Whether MLflow is about to be told that the study has ended."""
    spool = study / "mlflow.spool"
    return spool.exists() and b'"study_finished"' in spool.read_bytes()


def the_driver(home, driver):
    return [driver.pid]


def upload_processes(home, driver):
    return [pid for pid, line in ours(home) if UPLOAD in line]


def fill_disk(home, driver):
    """Fill the disk but for a little, until the driver has ended."""
    filler = home / "filler"
    free = shutil.disk_usage(home).free - random.randrange(SPARE_BYTES)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(free, 1))
    with contextlib.suppress(subprocess.TimeoutExpired):
        driver.wait(60)
    filler.unlink()
    return True


def lock_database(home, driver):
    """Hold MLflow's database for some seconds."""
    if not (home / "mlflow.db").exists():
        return False
    with contextlib.closing(sqlite3.connect(home / "mlflow.db", 30, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(LOCKED_S)
        other.execute("COMMIT")
    return True


class Server:
    """An MLflow server of our own."""

    def __init__(self, home):
        self._home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"
        self._start()

    def _start(self):
        home, port = self._home, str(self._port)
        options = ["--host", "127.0.0.1", "--port", port, "--workers", "1"]
        options += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db"]
        options += ["--artifacts-destination", f"{home}/artifacts"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while self._process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
                return
            time.sleep(0.3)

    def stop(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def strike(self, home, driver):
        """Kill the server and start it again after a while."""
        self.stop()
        time.sleep(ABSENT_S)
        self._start()
        return True


@contextlib.contextmanager
def small_disk(home) -> Iterator[None]:
    """Mount a small disk at the folder, which takes the rights of an administrator."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(home)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


@dataclass(frozen=True)
class Fault:
    """What is done to which study; ``at_once``: it waits for its moment by itself."""

    strike: Callable[..., bool]
    kind: Sequence[str] = tuple(ONE_WORKER)
    at_once: bool = False
    on_small_disk: bool = False


FAULTS = {
    "driver": Fault(kill_driver(signal.SIGKILL)),
    "driver_term": Fault(kill_driver(signal.SIGTERM)),
    "driver_int": Fault(kill_driver(signal.SIGINT)),
    "trainer": Fault(kill_trainer),
    "head": Fault(kill_one(HEAD)),
    "head_starting": Fault(kill_starting_head, at_once=True),
    "node": Fault(kill_one("raylet/raylet")),
    "upload": Fault(kill_one(UPLOAD)),
    "rank": Fault(kill_rank, tuple(TWO_WORKERS)),
    "helper": Fault(kill_helper, tuple(TWO_WORKERS)),
    "checkpoint": Fault(kill_when(half_written, lambda home, _: trainers(home)), at_once=True),
    "checkpoint_driver": Fault(kill_when(half_written, the_driver), at_once=True),
    "end": Fault(kill_when(at_the_end, the_driver), at_once=True),
    "end_upload": Fault(kill_when(at_the_end, upload_processes), at_once=True),
    "server": Fault(Server.strike),
    "locked": Fault(lock_database),
    "disk": Fault(fill_disk, on_small_disk=True),
}
