"""Look at everything, print it, and say by the exit code whether anything is wrong."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from raystudy import terminal
from raystudy.cli.doctor import machine, results, services, versions
from raystudy.cli.doctor.check import Check, Look, in_time
from raystudy.config import compose
from raystudy.config.import_path import PATIENCE_S
from raystudy.config.scaling import read_scaling
from raystudy.errors import EXIT_DONE, EXIT_FAILED

LIMIT_S = PATIENCE_S + 30.0  # for all together; each has a shorter one of its own
MARKS = {"well": ("ok", "green"), "note": ("note", "yellow"), "wrong": ("bad", "red")}


def doctor(
    study: str | None, overrides: Sequence[str], search_path: Sequence[str] = (), *, as_json: bool
) -> int:
    """Print every check; 1 if anything is wrong.

    Parameters
    ----------
    study : str, optional
        A study's name, whose need of disk is held against what there is.
    overrides : sequence of str
    search_path : sequence of str
        The user's own folders.
    as_json : bool
    """
    if study:
        settings = compose.load(study, overrides, search_path)
    else:
        settings = compose.load_shared(overrides)
    console, checks = terminal.console(), []
    for check in in_time(looks(settings, study), LIMIT_S):
        checks.append(check)
        if not as_json:
            _print(console, check)
    if as_json:
        terminal.print_json([asdict(check) for check in checks])
    return EXIT_FAILED if any(check.verdict == "wrong" for check in checks) else EXIT_DONE


def looks(settings: DictConfig, study: str | None) -> dict[str, Look]:
    """Return everything there is to look at."""
    output_dir = Path(settings.output_dir).expanduser().resolve()
    scaling = read_scaling(settings)
    everything: dict[str, Look] = {
        "versions": versions.look,
        "devices": machine.devices,
        "k-means": machine.kmeans,
        "results": lambda: results.results(output_dir),
        "shared memory": lambda: machine.shared_memory(scaling.object_store_mb * 2**20),
        "Ray's folder": machine.temporary_folder,
        "tracker": lambda: services.tracker(settings),
        "study.storage": lambda: services.database(settings.study.storage),
        "all-reduce": machine.all_reduce,
        "ray": lambda: services.ray(scaling),
    }
    if study:
        everything["disk"] = lambda: results.room_for(settings, study, output_dir)
    return everything


def _print(console: Console, check: Check) -> None:
    mark, colour = MARKS[check.verdict]
    line = Text(f"{mark:<5} ", style=colour)
    line.append(f"{check.name:<18} {check.found}", style="default")
    console.print(line, soft_wrap=True)
    if check.advice:
        console.print(Text(f"{'':<25}{check.advice}"), soft_wrap=True)
