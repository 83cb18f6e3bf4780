"""Whether the results folder can take a study."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from omegaconf import DictConfig

from raystudy.cli.doctor.check import Check, Verdict, python
from raystudy.terminal import size

NETWORK = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "lustre", "beegfs", "ceph", "fuse.s3fs")
LEAST_FREE = 5 * 2**30
MARGIN = 1.2  # of what a study is foreseen to write

_IS_LOCKED = """
import fcntl, sys
with open(sys.argv[1]) as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("free")
    except OSError:
        print("locked")
"""


def results(output_dir: Path) -> list[Check]:
    """Return whether results can be written, on what, and whether locks hold there."""
    there = existing(output_dir)
    if not os.access(there, os.W_OK):
        advice = "choose another by output_dir=FOLDER or RAYSTUDY_HOME"
        return [Check("results", "wrong", f"{output_dir} cannot be written", advice)]
    free = shutil.disk_usage(there).free
    kind = file_system(there)
    found = f"{output_dir}: {size(free)} free, {kind}"
    if kind.startswith(NETWORK):
        advice = "fine for checkpoints; Optuna's journal and MLflow's sqlite want a local disk"
        return [Check("results", "note", found, advice), lock(there)]
    advice = "" if free > LEAST_FREE else "free some space; 'raystudy doctor STUDY' tells how much"
    verdict: Verdict = "well" if free > LEAST_FREE else "note"
    return [Check("results", verdict, found, advice), lock(there)]


def existing(path: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    while not path.exists():
        path = path.parent
    return path


def lock(folder: Path) -> Check:
    """Return whether a lock keeps another process out, without which two drivers run one study."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".raystudy-doctor-") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return _no_lock(f"{folder} knows no locks ({error.strerror})")
        answer, wrong = python(_IS_LOCKED, file.name)
    if wrong:
        return _no_lock(wrong)
    if answer != "locked":
        return _no_lock(f"a lock in {folder} keeps nobody out")
    return Check("locks", "well", "a lock in the results folder keeps other processes out")


def _no_lock(found: str) -> Check:
    advice = "two drivers could run one study; choose a local disk by output_dir=FOLDER"
    return Check("locks", "wrong", found, advice)


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the kind of file system a path lies on, such as ``ext4``."""
    if not mounts.exists():
        return "unknown file system"
    lines = [line.split() for line in mounts.read_text().splitlines()]
    # A mount may lie over another of the same folder: the last one counts.
    below = [
        (len(line[1]), order, line[2])
        for order, line in enumerate(lines)
        if path.resolve().is_relative_to(line[1].replace("\\040", " "))
    ]
    return max(below)[2] if below else "unknown file system"


def room_for(settings: DictConfig, name: str, output_dir: Path) -> list[Check]:
    """Return whether what a study will write fits."""
    from raystudy.errors import UserError
    from raystudy.study.plan.calibration import size_of_trial
    from raystudy.study.plan.forecast import most_bytes

    try:
        need = most_bytes(settings, size_of_trial(settings))
    except UserError as error:  # its images are not there yet, say
        return [Check(f"disk for {name}", "wrong", str(error))]
    free = shutil.disk_usage(existing(output_dir)).free
    found = f"{settings.study.num_trials} trials write at most {size(need)}; {size(free)} free"
    if free > MARGIN * need:
        return [Check(f"disk for {name}", "well", found)]
    advice = "free some space, lower study.num_trials, or choose another disk by output_dir=FOLDER"
    return [Check(f"disk for {name}", "wrong", found, advice)]
