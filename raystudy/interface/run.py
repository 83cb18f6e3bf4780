"""Run studies from Python: what `raystudy sweep`, `train`, `resume` and `evaluate` do.

Progress is printed as on the command line. Ctrl-C, or a notebook's stop button, ends gracefully:
what is returned then can be resumed.
"""

from collections.abc import Sequence
from typing import Any

from raystudy.cli import evaluate as evaluating
from raystudy.cli import sweep as sweeping
from raystudy.cli import train as training
from raystudy.config.output_dir import results_folder_among
from raystudy.interface.study import Study, Training, opened
from raystudy.storage.folders import open_study_folder


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
    folder, _ = sweeping.start(name, overrides, search_path)
    return Study(folder)


def train(name: str, overrides: Sequence[str] = (), search_path: Sequence[str] = ()) -> Training:
    """Train once in this process and return the training; see `sweep` for parameters."""
    folder, _ = training.start(name, overrides, search_path)
    return Training(folder)


def resume(study_id: str, overrides: Sequence[str] = ()) -> Study | Training:
    """Continue what is unfinished and return it."""
    sweeping.resume(study_id, overrides)
    return opened(open_study_folder(results_folder_among(overrides), study_id))


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
    found = evaluating.measure(names, overrides, search_path, as_json=True)
    if isinstance(found, int):
        raise KeyboardInterrupt
    _, records, _ = found
    return records
