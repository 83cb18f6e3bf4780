"""``raystudy sync``: upload to MLflow the events that wait on disk."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from raystudy import terminal
from raystudy.config import compose, scopes
from raystudy.config.mlflow_uri import default_artifacts, store_uri
from raystudy.config.output_dir import results_folder
from raystudy.config.scopes import Scope
from raystudy.errors import EXIT_DONE, EXIT_FAILED
from raystudy.storage.folders import StudyFolder, open_study_folder
from raystudy.storage.redaction import redact
from raystudy.trackers.mlflow import SyncResult, sync
from raystudy.trackers.mlflow.sync import go_on_in_background


def sync_study(study_id: str, overrides: Sequence[str], *, background: bool = False) -> int:
    """Upload a study's events to the store it was started with, or to ``tracker.uri``.

    Parameters
    ----------
    study_id : str
    overrides : sequence of str
    background : bool
        Keep trying after this command has ended if the server is unreachable.
    """
    folder = open_study_folder(results_folder(overrides), study_id)
    manifest = folder.read_manifest()
    stored = scopes.select(manifest.overrides, [Scope.TRACKER])
    settings = compose.load_shared([*stored, *overrides])
    uri = store_uri(settings.tracker.uri, str(folder.home))
    console = terminal.console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task: TaskID = bar.add_task(f"to {redact(uri)}", total=None)
        result = sync(
            folder,
            uri,
            artifacts=default_artifacts(str(folder.home)),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for refused in result.refused:
        console.print(Text(f"refused by MLflow: {refused}", style="yellow"), soft_wrap=True)
    if result.error:
        return _undelivered(console, folder, uri, result, background=background)
    line = f"{result.delivered} events uploaded to {redact(uri)}; none are waiting"
    console.print(Text(line), soft_wrap=True)
    return EXIT_DONE


def _undelivered(
    console: Console, folder: StudyFolder, uri: str, result: SyncResult, *, background: bool
) -> int:
    """Print how many events still wait, and why; return the exit code."""
    waiting = f"{result.error}. {result.waiting} events wait on disk"
    if not background:
        line = f"{waiting}; then rerun 'raystudy sync {folder.id}'."
        console.print(Text(line, style="red"), soft_wrap=True)
        return EXIT_FAILED
    pid = go_on_in_background(folder, uri, default_artifacts(str(folder.home)))
    line = f"{waiting}; process {pid} keeps trying to upload them ('kill {pid}' stops it)."
    console.print(Text(line, style="yellow"), soft_wrap=True)
    return EXIT_DONE
