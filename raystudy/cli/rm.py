"""``raystudy rm``: delete a study, its folder and its runs in MLflow."""

import shutil
from collections.abc import Sequence

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE, UserError
from raystudy.storage.folders import StudyFolder, is_locked, open_study_folder
from raystudy.study.open_tracker import tracker_of_study
from raystudy.terminal import size


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
    tracker = tracker_of_study(folder, overrides)
    kept = "" if keep_mlflow else tracker.kept(folder)
    what = f"{folder.path} ({_contents(folder)})"
    if kept:
        what += f" and {kept}"
    if not confirmed:
        raise UserError(f"rm would permanently delete {what}; add --yes to delete it.")
    if kept and (reason := tracker.remove(folder)):
        raise UserError(
            f"nothing was deleted: {reason}, then rerun the command, or add --keep-mlflow."
        )
    shutil.rmtree(folder.path)
    terminal.console().print(f"deleted {what}", soft_wrap=True, markup=False)
    return EXIT_DONE


def _contents(folder: StudyFolder) -> str:
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    trials = len(list(folder.path.glob("trials/*")))
    return (
        f"{trials} trial{'s' * (trials != 1)}, {size(sum(path.stat().st_size for path in files))}"
    )
