"""Run studies from Python: what `raystudy sweep`, `train`, `resume`, `extend` and `evaluate` do.

Progress is printed as on the command line. Ctrl-C, or a notebook's stop button, ends gracefully:
what is returned then can be resumed.
"""

from collections.abc import Sequence
from typing import Any

from raystudy import terminal
from raystudy.evaluation.measure import measure
from raystudy.interface import resume as resuming
from raystudy.interface import sweep as sweeping
from raystudy.interface import train as training
from raystudy.interface.study import Study, Training, opened


def sweep(name: str, overrides: Sequence[str] = (), search_path: Sequence[str] = ()) -> Study:
    """Search a study's space and return the study.

    Parameters
    ----------
    name : str
        See ``raystudy list``.
    overrides : sequence of str
        Such as ``["study.num_trials=8", "data=cifar10"]``.
    search_path : sequence of str
        Folders with own studies.

    Raises
    ------
    UserError
        If a setting is wrong; nothing was started.
    """
    return Study(sweeping.start(name, overrides, search_path).folder)


def train(name: str, overrides: Sequence[str] = (), search_path: Sequence[str] = ()) -> Training:
    """Train once in this process and return the training; see `sweep` for parameters."""
    return Training(training.start(name, overrides, search_path).folder)


def resume(study_id: str, overrides: Sequence[str] = ()) -> Study | Training:
    """Continue what is unfinished and return it."""
    return opened(resuming.resume(study_id, overrides).folder)


def extend(study_id: str, overrides: Sequence[str]) -> Study:
    """Continue a study with more trials than it has, such as ``["study.num_trials=+32"]``."""
    return Study(resuming.extend(study_id, overrides).folder)


def evaluate(
    runs: str | Sequence[str], overrides: Sequence[str] = (), search_path: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Measure trained networks and return a record of each, as `raystudy evaluate --json` does.

    Parameters
    ----------
    runs : str or sequence of str
        Studies, STUDY/TRIAL, runs of MLflow or files with weights.
    overrides : sequence of str
        Such as ``["suite=swaro_table1", "suite.max_images=500"]``.
    search_path : sequence of str

    Raises
    ------
    KeyboardInterrupt
        If interrupted; the same call continues.
    """
    names = [runs] if isinstance(runs, str) else list(runs)
    found = measure(terminal.console(stderr=True), names, overrides, search_path)
    if isinstance(found, int):
        raise KeyboardInterrupt
    _, records, _ = found
    return records
