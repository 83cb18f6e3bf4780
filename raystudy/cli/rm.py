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


def remove(study_id: str, overrides: Sequence[str], *, sure: bool, keep_mlflow: bool) -> int:
    """Delete a study's folder and its runs in MLflow.

    Parameters
    ----------
    study_id : str
    overrides : sequence of str
    sure : bool
        Otherwise it is only said what would be deleted.
    keep_mlflow : bool
        Leave the runs in MLflow as they are.

    Raises
    ------
    UserError
        If the study is running, if the user is not sure, or if MLflow cannot be reached: what is
        known of its runs lies in the folder.
    """
    folder = open_study_folder(results_folder(overrides), study_id)
    if is_locked(folder):
        raise UserError(f"{study_id} is running; '{folder.command('stop')}' ends it first.")
    settings = _settings(folder, overrides)
    uri = store_uri(settings.tracker.uri, str(folder.home))
    runs = {} if keep_mlflow else run_ids(folder, uri)
    what = f"{folder.path} ({_contents(folder)})"
    if runs:
        what += f" and {len(runs)} runs in MLflow at {redact(uri)}"
    if not sure:
        raise UserError(f"rm deletes {what} for good; add --yes if you mean it.")
    artifacts = default_artifacts(str(folder.home))
    if runs and (reason := remove_runs(runs.values(), uri, artifacts)):
        raise UserError(f"nothing was deleted, for {reason}, then repeat it, or add --keep-mlflow.")
    shutil.rmtree(folder.path)
    terminal.console().print(f"deleted {what}", soft_wrap=True, markup=False)
    return EXIT_DONE


def _settings(folder: StudyFolder, overrides: Sequence[str]) -> DictConfig:
    """Return where the study's runs went, unless `overrides` say otherwise."""
    own = scopes.select(folder.read_manifest().overrides, [Scope.TRACKER])
    return compose.load_shared([*own, *overrides])


def _contents(folder: StudyFolder) -> str:
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    trials = len(list(folder.path.glob("trials/*")))
    return (
        f"{trials} trial{'s' * (trials != 1)}, {size(sum(path.stat().st_size for path in files))}"
    )
