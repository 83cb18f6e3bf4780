"""Kill parts of a running study at random times and look whether anything is lost. By hand:

``python tests/faults/inject.py [--times 50] [--seed 0]``

Each time a small study of SwARo on digits is begun in a folder of its own; at a random moment one
of its processes is killed: the driver (SIGKILL, SIGTERM, SIGINT), a process that trains, Ray's
head, Ray's node, or the one that carries events to MLflow. `raystudy resume` and `sync` follow.
In the end the study must be what an undisturbed one is, to the last digit, in Optuna's journal
and in MLflow, and no process and no temporary file may be left. Prints a line each; exits 1 if
anything was lost.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

STUDY = "s"
SWEEP = [
    *("sweep", "swaro", f"study.id={STUDY}", "study.num_trials=3", "max_epochs=3", "min_epochs=1"),
    *("clusters.warmup=0.34", "trial_scheduler=none", "sampler=random", "scaling.max_concurrent=2"),
]
TARGETS = ("driver", "driver_term", "driver_int", "trainer", "head", "node", "courier")
SIGNALS = {"driver_term": signal.SIGTERM, "driver_int": signal.SIGINT}
WORDS = {
    "trainer": "ray::",
    "head": "gcs_server",
    "node": "raylet/raylet",
    "courier": "raystudy.trackers.mlflow.carry",
}
PATIENCE_S = 240


def raystudy(home, *words, **settings):
    environment = {**os.environ, "RAYSTUDY_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "raystudy.cli", *words]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **settings,
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


def strike(home, driver, target):
    """Kill what is meant and return whether it was there."""
    if target.startswith("driver"):
        os.kill(driver.pid, SIGNALS.get(target, signal.SIGKILL))
        return True
    victims = [pid for pid, words in ours(home) if WORDS[target] in words and pid != driver.pid]
    if target == "trainer":
        victims = [
            pid for pid, words in ours(home) if words.startswith("ray::") and "IDLE" not in words
        ]
    for pid in victims[:1]:
        os.kill(pid, signal.SIGKILL)
    return bool(victims)


def outcome(home):
    """Return what the journal says of every trial, times left out."""
    code, out = finish(raystudy(home, "export", STUDY, "--format", "json"))
    if code:
        return out
    rows = json.loads(out[out.index("[") : out.rindex("]") + 1])
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in rows]


def in_mlflow(home):
    """Return status, last measures and epochs of every run in MLflow."""
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
        "    return [number, state, kept, sorted(set(steps))]\n"
        "print(json.dumps(sorted(map(told, runs), key=lambda run: run[0])))\n"
    )
    uri = f"sqlite:///{home}/mlflow.db"
    done = subprocess.run([sys.executable, "-c", code, uri], capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else done.stderr


def left_behind():
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


def wait_for_the_end_of(home):
    """Return the processes that are still there after a while."""
    for _ in range(100):
        if not list(ours(home)):
            return []
        time.sleep(0.2)
    return list(ours(home))


def once(home, target, moment, reference):
    """Run a study, strike, resume; return what is wrong, in words."""
    driver = raystudy(home, *SWEEP)
    time.sleep(moment)
    struck = driver.poll() is None and strike(home, driver, target)
    code, out = finish(driver)
    wrong = []
    if code == "hangs":
        wrong.append("the driver hangs")
    if "Traceback" in out:
        wrong.append("a traceback is printed")
    for _ in range(3):
        if code == 0:
            break
        begun = (home / f"studies/{STUDY}/study.json").exists()
        code, out = finish(raystudy(home, *(["resume", STUDY] if begun else SWEEP)))
    if code:
        wrong.append(f"resume ends with {code}: {out.strip().splitlines()[-1:]}")
    code, out = finish(raystudy(home, "sync", STUDY))
    if code:
        wrong.append(f"sync ends with {code}: {out.strip().splitlines()[-1:]}")
    if outcome(home) != reference["trials"]:
        wrong.append(f"the trials are others: {outcome(home)}")
    if (told := in_mlflow(home)) != reference["mlflow"]:
        wrong.append(f"MLflow has something else: {told}")
    if left := wait_for_the_end_of(home):
        wrong.append(f"processes are left: {left}")
        for pid, _ in left:
            os.kill(pid, signal.SIGKILL)
    return struck, wrong


def undisturbed():
    """Return what a study comes to that nobody disturbs, and how long it takes."""
    home = Path(tempfile.mkdtemp(prefix="faults-"))
    started = time.monotonic()
    code, out = finish(raystudy(home, *SWEEP))
    seconds = time.monotonic() - started
    assert code == 0, out
    assert not wait_for_the_end_of(home)
    found = {"trials": outcome(home), "mlflow": in_mlflow(home)}
    shutil.rmtree(home)
    return found, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    before = left_behind()
    reference, seconds = undisturbed()
    print(f"undisturbed: {seconds:.0f} s, {len(reference['trials'])} trials", flush=True)
    failures = 0
    for number in range(options.times):
        target, moment = TARGETS[number % len(TARGETS)], draw.uniform(0.2, seconds)
        home = Path(tempfile.mkdtemp(prefix="faults-"))
        struck, wrong = once(home, target, moment, reference)
        failures += bool(wrong)
        hit = "" if struck else " (was not there)"
        verdict = "; ".join(wrong) or "nothing lost"
        print(f"{number:3d} {target:<12} at {moment:5.1f} s{hit}: {verdict}", flush=True)
        if not wrong:
            shutil.rmtree(home)
    if left := left_behind() - before:
        failures += 1
        print(f"left in /tmp: {sorted(map(str, left))}")
    print(f"{failures} of {options.times} lost something")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
