"""What `sync` takes to deliver a whole study, beside plain ``MlflowClient.log_batch``.

    python tests/benchmarks/sync.py [--trials 1000] [--epochs 12] [--measures 8] [--profile]

Both write the same numbers, parameters and states to new sqlite files of the same kind, ours with
tags, a configuration and a picture for each trial, which the plain script does without.
Bar: 1,000 trials of 96 values within 2 minutes.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import cProfile
import pstats
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--measures", type=int, default=8)
    parser.add_argument("--at-a-time", type=int, default=4, help="trials that run side by side")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        spooled = timed("write the spool", fill, Path(root), options)
        timed("import MLflow, make its tables", make_databases, Path(root))
        ours = timed("raystudy sync", deliver, spooled, options.profile)
        plain = timed("plain log_batch", log_plainly, spooled, Path(root))
    print(f"{'ratio of CPU time, plain / ours':<34}{plain / ours:8.2f}")


def timed(name, function, *arguments):
    """Print what a call took; return its result, or else its CPU time."""
    wall, cpu, wait = time.perf_counter(), time.process_time(), waited()
    result = function(*arguments)
    wall, cpu, wait = time.perf_counter() - wall, time.process_time() - cpu, waited() - wait
    took = f"{wall:8.1f} s wall {cpu:8.1f} s CPU {wait:8.1f} s waiting for a core"
    print(f"{name:<34}{took}", flush=True)
    return cpu if result is None else result


def waited():
    """Return for how many seconds this thread had work but no core: others keep them busy."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def fill(root, options):
    """Write the events of a study whose trials run side by side, and their configurations."""
    from mlflow_studies import trial
    from surrogates import study_info

    from raystudy.storage.folders import create_study_folder
    from raystudy.trackers.mlflow import MlflowTracker
    from raystudy.trial.info import TrialSummary

    folder = create_study_folder(root, "bench")
    tracker = MlflowTracker(None)
    tracker.study_started(study_info(folder.path, num_trials=options.trials))
    names = ["val/robust_accuracy", *(f"train/m{i}" for i in range(1, options.measures))]
    for first in range(0, options.trials, options.at_a_time):
        numbers = range(first, min(first + options.at_a_time, options.trials))
        for number in numbers:
            folder.trial(number).path.mkdir(parents=True)
            folder.trial(number).config.write_text(f"seed: {number}\n")
            tracker.trial_started(trial(folder, number, *(f"a.k{i}={number}" for i in range(6))))
        for epoch in range(1, options.epochs + 1):
            values = {name: epoch / 100 + i for i, name in enumerate(names)}
            for number in numbers:
                tracker.trial_reported(number, epoch, values)
        for number in numbers:
            last = {names[0]: 0.1}
            tracker.trial_finished(
                TrialSummary(
                    number=number, state="complete", epoch=options.epochs, last=last, best=last
                )
            )
    tracker.study_finished("complete")
    tracker.close()
    return folder


def make_databases(root):
    """Make the sqlite files, which takes the same for both."""
    from raystudy.trackers.mlflow.client import MlflowStore

    MlflowStore(f"sqlite:///{root}/ours.db", str(root / "artifacts"), print)
    shutil.copy(root / "ours.db", root / "plain.db")


def deliver(folder, profile):
    """Deliver by `sync`."""
    from raystudy.trackers.mlflow import sync

    uri = f"sqlite:///{folder.path.parents[1]}/ours.db"
    artifacts = str(folder.path.parents[1] / "artifacts")
    profiler = cProfile.Profile(time.process_time)
    if profile:
        profiler.enable()
    result = sync(folder, uri, artifacts=artifacts)
    if profile:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
    assert (result.error, result.waiting) == ("", 0)


def log_plainly(folder, root):
    """Write each trial's numbers and parameters as one batch of a run of its own."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    from raystudy.storage import spool

    client = MlflowClient(f"sqlite:///{root}/plain.db")
    experiment = client.create_experiment("plain", str(root / "plain"))
    metrics, params = {}, {}
    for event, _ in spool.read(folder.spool):
        if event["kind"] == "trial_started":
            params[event["number"]] = [Param(k, v) for k, v in event["settings"].items()]
        elif event["kind"] == "trial_reported":
            metrics.setdefault(event["number"], []).extend(
                Metric(k, v, event["time"], event["epoch"]) for k, v in event["metrics"].items()
            )
    for number, values in metrics.items():
        run_id = client.create_run(experiment, run_name=f"trial {number}").info.run_id
        client.log_batch(run_id, metrics=values, params=params[number])
        client.set_terminated(run_id)


if __name__ == "__main__":
    main()
