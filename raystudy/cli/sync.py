"""``raystudy sync``: upload to the tracker the events that wait on disk."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE, EXIT_FAILED
from raystudy.storage.folders import StudyFolder, open_study_folder
from raystudy.study.open_tracker import tracker_of_study
from raystudy.study.tracker import SyncResult, Tracker


def sync_study(study_id: str, overrides: Sequence[str], *, background: bool = False) -> int:
    """Upload a study's events to the tracker it was started with, or to ``tracker.uri``.

    Parameters
    ----------
    study_id : str
    overrides : sequence of str
    background : bool
        Keep trying after this command has ended if the server is unreachable.
    """
    folder = open_study_folder(results_folder(overrides), study_id)
    tracker = tracker_of_study(folder, overrides)
    console = terminal.console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task: TaskID = bar.add_task(f"to {tracker.place}", total=None)
        result = tracker.sync(
            folder, lambda done, total: bar.update(task, completed=done, total=total)
        )
    for refused in result.refused:
        console.print(Text(f"refused by {tracker.name}: {refused}", style="yellow"), soft_wrap=True)
    if result.error:
        return _undelivered(console, folder, tracker, result, background=background)
    where = tracker.place or "no tracker (tracker=none)"
    line = f"{result.delivered} events uploaded to {where}; none are waiting"
    console.print(Text(line), soft_wrap=True)
    return EXIT_DONE


def _undelivered(
    console: Console, folder: StudyFolder, tracker: Tracker, result: SyncResult, *, background: bool
) -> int:
    """Print how many events still wait, and why; return the exit code."""
    waiting = f"{result.error}. {result.waiting} events wait on disk"
    if not background:
        line = f"{waiting}; then rerun 'raystudy sync {folder.id}'."
        console.print(Text(line, style="red"), soft_wrap=True)
        return EXIT_FAILED
    pid = tracker.sync_in_background(folder)
    line = f"{waiting}; process {pid} keeps trying to upload them ('kill {pid}' stops it)."
    console.print(Text(line, style="yellow"), soft_wrap=True)
    return EXIT_DONE
