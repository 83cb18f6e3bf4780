"""``raystudy stop`` and ``pause``: reach a running study from another terminal or machine."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE, EXIT_FAILED, UserError
from raystudy.storage import lock
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
    owner = _reach(folder, "stop")
    if not _waited(lambda: not is_locked(folder)):
        console.print(f"{study_id} is still running after {PATIENCE_S:g} s, as {owner}")
        return EXIT_FAILED
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
    owner = _reach(folder, "pause")
    if not _waited(lambda: not lock.waits(folder.path)):
        console.print(f"{study_id} has not read the request within {PATIENCE_S:g} s, as {owner}")
        return EXIT_FAILED
    console.print(
        f"{study_id} launches no more trials; once the running ones have finished, continue with: "
        f"{folder.command('resume')}"
    )
    return EXIT_DONE


def _reach(folder: StudyFolder, request: str) -> lock.Owner:
    """Pass a request to the process that runs a study, wherever it is."""
    owner = lock.owner(folder.path)
    if owner is None:
        raise UserError(
            f"{folder.id} is running, but its process id is unknown; press Ctrl-C in its terminal."
        )
    if owner.is_here(folder.path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(owner.pid, lock.REQUESTS[request])
    elif not lock.send(folder.path, request):
        raise UserError(
            f"{folder.id} is run by {owner}, which cannot be reached from here; type "
            f"'{folder.command(request)}' there."
        )
    return owner


def _waited(is_done: Callable[[], bool]) -> bool:
    """Return whether something happened within the patience there is."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_EVERY_S)
    return True
