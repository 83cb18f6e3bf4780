"""What Ray and the study cost beside training: raystudy against a plain Ray Tune script.

    python tests/benchmarks/trial_overhead.py [--rounds 3] [--trials 60] [--epochs 3] [--cpus 2]

Trials do nothing but report. Both sides run on the same local Ray, in turn, in reused actors, with
the same sampler (multivariate TPE); the plain script keeps its study in memory, ours in a journal
on disk that survives a kill. The first round also pays for imports and is told apart.
Bar: under 0.5 s a trial after the first, and a ratio of about one.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = str(ROOT / "tests" / "support")
sys.path[:0] = [str(ROOT), SUPPORT]
os.environ["PYTHONPATH"] = f"{ROOT}:{SUPPORT}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--cpus", type=int, default=2)
    options = parser.parse_args()

    from raystudy.config.scaling import Scaling
    from raystudy.on_ray.cluster import connected

    scaling = Scaling(num_cpus=options.cpus)
    started = time.perf_counter()
    with connected(scaling), tempfile.TemporaryDirectory() as folder:
        row("start of Ray", time.perf_counter() - started)
        ratios = []
        for index in range(options.rounds):
            print(f"\nround {index + 1}")
            ours = run_raystudy(scaling, Path(folder) / f"ours-{index}", options)
            plain = run_plain_tune(Path(folder) / f"plain-{index}", options)
            ratios.append(ours / plain)
            row("ratio of the whole runs", ratios[-1], unit="")
        row("\nmedian ratio after the first round", statistics.median(ratios[1:] or ratios), "")
        stopping = time.perf_counter()
    row("end of Ray", time.perf_counter() - stopping)


def run_raystudy(scaling, folder, options):
    """Run a study of the surrogates' space with timed calls into the study."""
    from surrogate_study import open_study

    from raystudy.on_ray.executor import RayExecutor

    spent, ends = Counter(), []
    started = time.perf_counter()
    with open_study(folder, sampler="tpe", num_trials=options.trials) as study:
        for call in ("next_trial", "report", "finish"):
            setattr(study, call, timed(getattr(study, call), spent, call, ends))
        RayExecutor(scaling, report_only(options.epochs)).run(study)
    whole = time.perf_counter() - started
    summary("raystudy", whole, started, ends, options)
    for call, seconds in spent.items():
        row(f"  of it in study.{call}", seconds / options.trials)
    return whole


def timed(function, spent, name, ends):
    def call(*arguments):
        began = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            spent[name] += time.perf_counter() - began
            if name == "finish":
                ends.append(time.perf_counter())

    return call


def report_only(epochs):
    """Return the trial; defined here, so it travels to the workers by value."""

    def trial(name, overrides, search_path, session):  # noqa: ARG001
        for epoch in range(1, epochs + 1):
            session.report(epoch, {"val/robust_accuracy": 0.1 * epoch})

    return trial


def run_plain_tune(folder, options):
    """Run the same work as a Ray user would write it, as quiet and as warm."""
    from optuna.samplers import TPESampler
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    ends = []

    class Ends(tune.Callback):
        def on_trial_complete(self, *_, **__):
            ends.append(time.perf_counter())

    epochs = options.epochs

    def trial(config):
        import torch  # what any training needs  # noqa: F401

        for epoch in range(1, epochs + 1):
            tune.report({"accuracy": 0.1 * epoch + 0 * config["lr"]})

    started = time.perf_counter()
    tune.Tuner(
        trial,
        param_space={"lr": tune.loguniform(1e-3, 1), "strength": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            search_alg=OptunaSearch(sampler=TPESampler(multivariate=True, constant_liar=True)),
            num_samples=options.trials,
            max_concurrent_trials=options.cpus,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0, callbacks=[Ends()]),
    ).fit()
    whole = time.perf_counter() - started
    summary("plain Ray Tune", whole, started, ends, options)
    return whole


def summary(name, whole, started, ends, options):
    row(f"{name}: {options.trials} trials of {options.epochs} epochs", whole)
    row("  until the first trial ended", ends[0] - started)
    row("  each trial after the first", (ends[-1] - ends[0]) / (len(ends) - 1))


def row(what, value, unit=" s"):
    print(f"{what:<44}{value:9.4f}{unit}", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
