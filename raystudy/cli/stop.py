"""``raystudy stop`` and ``pause``: what is done to a study from another terminal."""

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
    """Let a running study end gracefully, as Ctrl-C does, and wait for it."""
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
            console.print(f"{study_id} has not ended after {PATIENCE_S:g} s; its process is {pid}")
            return EXIT_FAILED
        time.sleep(POLL_EVERY_S)
    console.print(f"{study_id} has stopped; go on with: {folder.command('resume')}")
    return EXIT_DONE


def pause(study_id: str, overrides: Sequence[str]) -> int:
    """Let a running search begin no more trials; those that run go on to their end."""
    folder = open_study_folder(results_folder(overrides), study_id)
    console = terminal.console()
    if not is_locked(folder):
        console.print(f"{study_id} is not running")
        return EXIT_DONE
    if folder.read_manifest().kind != "sweep":
        raise UserError(f"{study_id} is no search; '{folder.command('stop')}' ends it.")
    os.kill(_driver(folder), signal.SIGUSR2)
    console.print(
        f"{study_id} begins no more trials; once those that run have ended, go on with: "
        f"{folder.command('resume')}"
    )
    return EXIT_DONE


def _driver(folder: StudyFolder) -> int:
    try:
        return int((folder.path / "lock").read_text())
    except ValueError:
        raise UserError(
            f"{folder.id} runs, but its driver's process is not known; stop it where it runs."
        ) from None
