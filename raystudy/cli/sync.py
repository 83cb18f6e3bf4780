"""``raystudy sync``: deliver to the tracker what waits on disk."""

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
    """Deliver a study's events to the tracker it was started with, or to ``tracker.uri``.

    Parameters
    ----------
    study_id : str
    overrides : sequence of str
    background : bool
        Whether to keep trying, after this command has ended, where nothing could be delivered.
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
    words = f"{result.delivered} events delivered to {where}; nothing waits"
    console.print(Text(words), soft_wrap=True)
    return EXIT_DONE


def _undelivered(
    console: Console, folder: StudyFolder, tracker: Tracker, result: SyncResult, *, background: bool
) -> int:
    """Say what waits still, and why; return the exit code."""
    wait = f"{result.error}. {result.waiting} events wait on disk"
    if not background:
        words = f"{wait}; then repeat 'raystudy sync {folder.id}'."
        console.print(Text(words, style="red"), soft_wrap=True)
        return EXIT_FAILED
    pid = tracker.sync_in_background(folder)
    words = f"{wait}; process {pid} goes on trying to deliver them ('kill {pid}' ends it)."
    console.print(Text(words, style="yellow"), soft_wrap=True)
    return EXIT_DONE
