"""What a plan foresees beside what then happens.

    python tests/benchmarks/plan.py [--trials 6] [STUDY ...]

Each study is planned and run on digits, without a trial scheduler and with ASHA, two trials at a
time. Told are actual over foreseen passes, seconds and bytes in the results folder. Passes and
bytes are exact where no trial is stopped; seconds follow whatever else the machine does.

On four cores shared with others (load 9 to 30, 2026-11-21), 6 trials each, actual over foreseen:

    study    scheduler  passes  disk  complete (foreseen)
    swaro    none         1.00  0.98  6 (6)
    swaro    asha         1.00  0.98  3 (2.9, 2 to 5)
    fast_at  none         1.00  0.97  6 (6)
    fast_at  asha         0.94  0.94  2 (2.3, 1 to 4)
    msr      none         1.00  0.98  6 (6)
    msr      asha         1.05  1.02  3 (2.6, 1 to 4)
    suncet   none         1.00  0.83  6 (6)
    suncet   asha         1.00  0.81  2 (2.4, 1 to 5)
    rocl     none         1.00  0.97  6 (6)
    rocl     asha         0.90  0.89  2 (2.8, 2 to 4)

Seconds of the whole study: 0.96 at a load of 9. At a load of 25 a trial took 33 to 40 s where 35 to
38 s were foreseen, but Ray took two minutes to start, and so the whole 1.5 to 4 times as long.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STUDIES = ("swaro", "fast_at", "msr", "suncet", "rocl")


def command(home: Path, *words: str) -> str:
    """Run a verb and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "raystudy.cli.main", *words],
        env={**os.environ, "RAYSTUDY_HOME": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def plan(home: Path, study: str, *words: str) -> dict[str, dict[str, float]]:
    """Return what is foreseen."""
    told: dict[str, dict[str, float]]
    told = json.loads(command(home, "plan", study, *words, "--json"))["forecast"]
    return told


def compare(study: str, scheduler: str, trials: int) -> str:
    """Plan, run, and return a line of ratios."""
    words = [f"trial_scheduler={scheduler}", f"study.num_trials={trials}"]
    words += ["scaling.max_concurrent=2", "study.id=it"]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        foreseen = plan(home, study, *words)
        began = time.perf_counter()
        command(home, "sweep", study, *words)
        seconds = time.perf_counter() - began
        ended = json.loads(command(home, "status", "it", "--json"))["trials"]
        afterwards = plan(home, study, *words[:-1])
        size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    passes = sum(
        trial["metrics"].get(f"cost/{way}_passes", 0)
        for trial in ended
        for way in ("forward", "backward")
    )
    complete = sum(trial["state"] == "complete" for trial in ended)
    # The machine may have become busier or idler while the study ran.
    for end, value in afterwards["seconds"].items():
        foreseen["seconds"][end] = (foreseen["seconds"][end] + value) / 2
    span = foreseen["complete"]
    actual = {"passes": passes, "seconds": seconds, "disk": size}
    ratios = "  ".join(f"{name} {v / foreseen[name]['mean']:.2f}" for name, v in actual.items())
    within = all(
        foreseen[name]["low"] * 0.8 <= value <= foreseen[name]["high"] * 1.2
        for name, value in actual.items()
    )
    return (
        f"{study:<8} {scheduler:<5} {ratios}  complete {complete} "
        f"(foreseen {span['mean']:.1f}, {span['low']:.0f} to {span['high']:.0f})"
        f"{'' if within else '  beyond'}"
    )


def main() -> None:
    """Compare all studies that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="*", default=STUDIES)
    parser.add_argument("--trials", type=int, default=6)
    options = parser.parse_args()
    for study in options.studies:
        for scheduler in ("none", "asha"):
            print(compare(study, scheduler, options.trials), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
