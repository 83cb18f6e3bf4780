"""The studies that are disturbed, and what can be seen of them from outside."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

STUDY = "s"
SETTINGS = [
    *("max_epochs=3", "min_epochs=1", "clusters.warmup=0.34", "trial_scheduler=none"),
    "sampler=random",
]
ONE_WORKER = ["study.num_trials=3", "scaling.max_concurrent=2", *SETTINGS]
TWO_WORKERS = ["study.num_trials=2", "scaling.num_workers=2", "scaling.max_concurrent=1", *SETTINGS]
PATIENCE_S = 900


def sweep(kind):
    """Return the command that begins a study of these settings."""
    return ["sweep", "swaro", f"study.id={STUDY}", *kind]


def raystudy(home, *words):
    environment = {**os.environ, "RAYSTUDY_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "raystudy.cli.main", *words]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process):
    """Return a command's exit code and output; end it after some minutes."""
    try:
        out, _ = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
        return "hangs", out
    return process.returncode, out


def ours(home) -> Iterator[tuple[int, str]]:
    """Yield id and command line of every process that belongs to this folder of results."""
    mark = f"RAYSTUDY_HOME={home}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                if words:
                    yield int(folder.name), words
        except OSError:  # gone meanwhile
            continue


def outcome(home):
    """Return what the journal says of every trial, times left out."""
    code, out = finish(raystudy(home, "export", STUDY, "--format", "json"))
    if code:
        return out
    rows = json.loads(out[out.index("[") : out.rindex("]") + 1])
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in rows]


def in_mlflow(home, uri=None):
    """Return status, last measures, epochs and files of every run in MLflow."""
    code = (
        "import json, logging, sys; logging.disable(logging.CRITICAL)\n"
        "from mlflow import MlflowClient\n"
        "client = MlflowClient(tracking_uri=sys.argv[1])\n"
        "ids = [e.experiment_id for e in client.search_experiments()]\n"
        "runs = client.search_runs(ids, max_results=1000)\n"
        "def told(run):\n"
        "    tags, metrics = run.data.tags, run.data.metrics\n"
        "    number = tags.get('raystudy.trial_number', 'study')\n"
        "    steps = [m.step for m in client.get_metric_history(run.info.run_id, 'val/accuracy')]\n"
        "    kept = {k: v for k, v in metrics.items() if 'seconds' not in k}\n"
        "    state = [run.info.status, tags.get('raystudy.state')]\n"
        "    files = sorted(f.path for f in client.list_artifacts(run.info.run_id))\n"
        "    return [number, state, kept, sorted(set(steps)), files]\n"
        "print(json.dumps(sorted(map(told, runs), key=lambda run: run[0])))\n"
    )
    uri = uri or f"sqlite:///{home}/mlflow.db"
    done = subprocess.run([sys.executable, "-c", code, uri], capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else done.stderr


def left_in_tmp():
    """Return the folders of Ray's files that no living driver holds."""
    folders = set()
    for lock in Path("/tmp").glob("raystudy-*/lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                continue
            folders.add(lock.parent)
    return folders


def left_running(home):
    """Return the processes that are still there after a while."""
    for _ in range(100):
        if not list(ours(home)):
            return []
        time.sleep(0.2)
    return list(ours(home))
