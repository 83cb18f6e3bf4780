"""What a trial costs the driver of a long study: opening, asking, reporting, telling, memory.

    python tests/benchmarks/ask_tell.py [--trials 100 1000 10000] [--asks 15] [--objectives 1 2]

A study of so many stored trials of three epochs each (drawn at random, that is quick) is opened in
a process of its own with the TPE of `search_spaces/sampler/tpe.yaml`, and asked, told and asked
again. Optuna alone does the same with the same journal and its own reader, three operations a
trial instead of all that a study keeps. Times are medians. Bars: an ask under 150 ms at 1,000
trials, a study of 10,000 open within 2 s, under 0.1 MB a trial.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

EPOCHS = 3
HEADER = f"{'':<22}{'open':>10}{'ask':>10}{'report':>10}{'tell':>10}{'memory':>11}{'a trial':>11}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--objectives", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--asks", type=int, default=15)
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        who, folder, trials, objectives = options.measure
        times = MEASURES[who](Path(folder), int(trials), int(objectives), options.asks)
        print_row(f"{trials} trials, {who}", *times, int(trials))
        return
    for objectives in options.objectives:
        print(f"\n{objectives} objective{'s' * (objectives > 1)}\n{HEADER}", flush=True)
        for trials in options.trials:
            with tempfile.TemporaryDirectory() as folder:
                fill(Path(folder) / "s", trials, objectives)
                for who in MEASURES:
                    words = [who, str(Path(folder) / "s"), str(trials), str(objectives)]
                    subprocess.run(
                        [
                            sys.executable,
                            __file__,
                            "--asks",
                            str(options.asks),
                            "--measure",
                            *words,
                        ],
                        check=True,
                    )


def axes():
    """Return the axes of SwARo's space."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    return {
        "clusters.num_clusters": IntDistribution(10, 200, log=True),
        "clusters.probability": FloatDistribution(0, 1),
        "clusters.warmup": FloatDistribution(0.1, 0.4),
        "attack.step_size": FloatDistribution(0.005, 0.05, log=True),
        "attack.steps": CategoricalDistribution([1, 3, 5, 7, 10]),
        "optimizer.lr": FloatDistribution(0.3, 5, log=True),
    }


def opened(folder, trials, objectives, sampler):
    from surrogate_study import open_study
    from surrogates import CLEAN, ROBUST

    from raystudy.search.search_space import SearchSpace

    published = dict(zip(axes(), (25, 0.75, 0.2, 0.0125, 7, 1.5), strict=True))
    return open_study(
        folder,
        sampler=sampler,
        space=SearchSpace(distributions=axes(), published=published),
        objectives=(CLEAN, ROBUST)[:objectives],
        num_trials=trials,
    )


def curve(params):
    """Yield an epoch's measures: two objectives that pull apart."""
    import math

    from surrogates import CLEAN, ROBUST

    x, misfit = params["clusters.probability"], 0.1 * math.log10(params["optimizer.lr"]) ** 2
    for epoch in range(1, EPOCHS + 1):
        learnt = epoch / EPOCHS
        yield {
            CLEAN: learnt * (0.9 - 0.3 * x**2 - misfit),
            ROBUST: learnt * (0.6 * x * (2 - x) - misfit),
            "train/loss": 2 - learnt,
            "cost/flops": 1e9 * epoch,
        }


def fill(folder, trials, objectives):
    from raystudy.study.inline import InlineExecutor, Report

    def curves(trial):
        for epoch, metrics in enumerate(curve(trial.params), start=1):
            yield Report(epoch, metrics)

    with opened(folder, trials, objectives, "random") as study:
        InlineExecutor(curves).run(study)


def measure_raystudy(folder, trials, objectives, asks):
    from raystudy.study.study import Outcome

    opened(folder.parent / "warm", 1, objectives, "tpe").close()  # imports
    before, began = rss(), time.perf_counter()
    study = opened(folder, trials + asks, objectives, "tpe")
    opening, asking, reporting, telling = time.perf_counter() - began, [], [], []
    for _ in range(asks):
        trial = timed(asking, study.next_trial)
        for epoch, metrics in enumerate(curve(trial.params), start=1):
            timed(reporting, study.report, trial.number, epoch, metrics)
        timed(telling, study.finish, trial.number, Outcome("completed"))
    study.close()
    return opening, *map(statistics.median, (asking, reporting, telling)), rss() - before


def measure_optuna(folder, trials, objectives, asks):  # noqa: ARG001
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from surrogate_study import recipe
    from surrogates import CLEAN, ROBUST

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    settings = {k: v for k, v in recipe("sampler", "tpe").items() if k != "_target_"}
    before, began = rss(), time.perf_counter()
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    sampler = optuna.samplers.TPESampler(**settings, seed=0)
    study = optuna.load_study(study_name=folder.name, storage=storage, sampler=sampler)
    opening, asking, telling = time.perf_counter() - began, [], []
    for _ in range(asks):
        trial = timed(asking, study.ask, axes())
        *_, last = curve(trial.params)
        values = [last[measure] for measure in (CLEAN, ROBUST)[:objectives]]
        timed(telling, study.tell, trial, values)
    middle = map(statistics.median, (asking, [float("nan")], telling))
    return opening, *middle, rss() - before


MEASURES = {"raystudy": measure_raystudy, "Optuna": measure_optuna}


def timed(times, function, *arguments):
    began = time.perf_counter()
    result = function(*arguments)
    times.append(time.perf_counter() - began)
    return result


def rss():
    """Return what the process has in memory, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def print_row(what, opening, asking, reporting, telling, memory, trials):
    times = "".join(f"{1000 * value:7.1f} ms" for value in (asking, reporting, telling))
    per_trial = 1000 * memory / trials
    print(f"{what:<22}{opening:8.2f} s{times}{memory:8.1f} MB{per_trial:8.1f} kB", flush=True)


if __name__ == "__main__":
    main()
