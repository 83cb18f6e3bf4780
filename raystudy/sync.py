"""``raystudy sync``: deliver to MLflow what waits on disk."""

from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from raystudy import config, terminal
from raystudy.errors import EXIT_DONE, EXIT_FAILED
from raystudy.study_folder import open_study_folder
from raystudy.trackers.mlflow import sync
from raystudy.trackers.redaction import redact
from raystudy.trackers.store import default_artifacts, store_uri


def sync_study(study_id: str, overrides: Sequence[str]) -> int:
    """Deliver a study's events to the store it was begun with, or to ``tracker.uri``."""
    settings = config.load_shared(overrides)
    folder = open_study_folder(Path(settings.output_dir).expanduser().resolve(), study_id)
    manifest = folder.read_manifest()
    begun_with = [text for text in manifest["overrides"] if text.startswith("tracker.")]
    settings = config.load_shared([*begun_with, *overrides])
    uri = store_uri(settings.tracker.uri, settings.output_dir)
    console = terminal.console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task: TaskID = bar.add_task(f"to {redact(uri)}", total=None)
        result = sync(
            folder,
            uri,
            artifacts=default_artifacts(settings.output_dir),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for refused in result.refused:
        console.print(f"refused by MLflow: {refused}", style="yellow")
    if result.error:
        console.print(f"{result.waiting} events wait still: {result.error}", style="red")
        return EXIT_FAILED
    console.print(f"{result.delivered} events delivered to {redact(uri)}; nothing waits")
    return EXIT_DONE
