"""``raystudy rm``: delete a study, its folder and its runs in MLflow."""

import shutil
from collections.abc import Sequence

from omegaconf import DictConfig

from raystudy import terminal
from raystudy.config import compose, scopes
from raystudy.config.mlflow_uri import default_artifacts, store_uri
from raystudy.config.output_dir import results_folder
from raystudy.config.scopes import Scope
from raystudy.errors import EXIT_DONE, UserError
from raystudy.storage.folders import StudyFolder, is_locked, open_study_folder
from raystudy.storage.redaction import redact
from raystudy.terminal import size
from raystudy.trackers.mlflow.delivery import run_ids
from raystudy.trackers.mlflow.remove import remove_runs


def remove(study_id: str, overrides: Sequence[str], *, confirmed: bool, keep_mlflow: bool) -> int:
    """Delete a study's folder and its runs in MLflow.

    Parameters
    ----------
    study_id : str
    overrides : sequence of str
    confirmed : bool
        Otherwise only list what would be deleted.
    keep_mlflow : bool
        Leave the runs in MLflow as they are.

    Raises
    ------
    UserError
        If the study is running, if deletion is not confirmed, or if MLflow is unreachable: only
        the folder knows which runs are the study's.
    """
    folder = open_study_folder(results_folder(overrides), study_id)
    if is_locked(folder):
        raise UserError(f"{study_id} is running; stop it first with '{folder.command('stop')}'.")
    settings = _settings(folder, overrides)
    uri = store_uri(settings.tracker.uri, str(folder.home))
    runs = {} if keep_mlflow else run_ids(folder, uri)
    what = f"{folder.path} ({_contents(folder)})"
    if runs:
        what += f" and {len(runs)} runs in MLflow at {redact(uri)}"
    if not confirmed:
        raise UserError(f"rm would permanently delete {what}; add --yes to delete it.")
    artifacts = default_artifacts(str(folder.home))
    if runs and (reason := remove_runs(runs.values(), uri, artifacts)):
        raise UserError(
            f"nothing was deleted: {reason}, then rerun the command, or add --keep-mlflow."
        )
    shutil.rmtree(folder.path)
    terminal.console().print(f"deleted {what}", soft_wrap=True, markup=False)
    return EXIT_DONE


def _settings(folder: StudyFolder, overrides: Sequence[str]) -> DictConfig:
    """Return the study's tracker settings, under `overrides`."""
    stored = scopes.select(folder.read_manifest().overrides, [Scope.TRACKER])
    return compose.load_shared([*stored, *overrides])


def _contents(folder: StudyFolder) -> str:
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    trials = len(list(folder.path.glob("trials/*")))
    return (
        f"{trials} trial{'s' * (trials != 1)}, {size(sum(path.stat().st_size for path in files))}"
    )
