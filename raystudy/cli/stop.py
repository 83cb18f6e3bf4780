"""``raystudy stop`` and ``pause``: signal a running study from another terminal."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE, EXIT_FAILED, UserError
from raystudy.storage.folders import StudyFolder, is_locked, open_study_folder

POLL_EVERY_S = 0.2
PATIENCE_S = 120.0


def stop(study_id: str, overrides: Sequence[str]) -> int:
    """Stop a running study gracefully, as Ctrl-C does, and wait for its process to exit."""
    folder = open_study_folder(results_folder(overrides), study_id)
    console = terminal.console()
    if not is_locked(folder):
        console.print(f"{study_id} is not running")
        return EXIT_DONE
    pid = _driver(folder)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_S
    while is_locked(folder):
        if time.monotonic() > deadline:
            console.print(
                f"{study_id} is still running after {PATIENCE_S:g} s; its process id is {pid}"
            )
            return EXIT_FAILED
        time.sleep(POLL_EVERY_S)
    console.print(f"{study_id} has stopped; continue with: {folder.command('resume')}")
    return EXIT_DONE


def pause(study_id: str, overrides: Sequence[str]) -> int:
    """Launch no more trials of a running search; running ones finish."""
    folder = open_study_folder(results_folder(overrides), study_id)
    console = terminal.console()
    if not is_locked(folder):
        console.print(f"{study_id} is not running")
        return EXIT_DONE
    if folder.read_manifest().kind != "sweep":
        raise UserError(f"{study_id} is not a search; stop it with '{folder.command('stop')}'.")
    os.kill(_driver(folder), signal.SIGUSR2)
    console.print(
        f"{study_id} launches no more trials; once the running ones have finished, continue with: "
        f"{folder.command('resume')}"
    )
    return EXIT_DONE


def _driver(folder: StudyFolder) -> int:
    try:
        return int((folder.path / "lock").read_text())
    except ValueError:
        raise UserError(
            f"{folder.id} is running, but its process id is unknown; press Ctrl-C in its terminal."
        ) from None
