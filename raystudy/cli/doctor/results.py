"""Checks of the results folder: writable, large enough, and with working locks."""

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
MARGIN = 1.2  # times the estimated size of a study

_IS_LOCKED = """
import fcntl, sys
with open(sys.argv[1]) as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("free")
    except OSError:
        print("locked")
"""


def check_results(output_dir: Path) -> list[Check]:
    """Check that the results folder is writable, its file system, and its locks."""
    folder = nearest_existing(output_dir)
    if not os.access(folder, os.W_OK):
        advice = "choose another with output_dir=FOLDER or RAYSTUDY_HOME"
        return [Check("results", "wrong", f"{output_dir} is not writable", advice)]
    free = shutil.disk_usage(folder).free
    kind = file_system(folder)
    found = f"{output_dir}: {size(free)} free, {kind}"
    if kind.startswith(NETWORK):
        advice = "fine for checkpoints; Optuna's journal and MLflow's sqlite file need a local disk"
        return [Check("results", "note", found, advice), check_lock(folder)]
    advice = (
        ""
        if free > LEAST_FREE
        else "free some space; 'raystudy doctor STUDY' shows how much it needs"
    )
    verdict: Verdict = "well" if free > LEAST_FREE else "note"
    return [Check("results", verdict, found, advice), check_lock(folder)]


def nearest_existing(path: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    while not path.exists():
        path = path.parent
    return path


def check_lock(folder: Path) -> Check:
    """Check that a lock keeps other processes out; without it two of them could run one study."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".raystudy-doctor-") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return _no_lock(f"{folder} does not support locks ({error.strerror})")
        answer, wrong = python(_IS_LOCKED, file.name)
    if wrong:
        return _no_lock(wrong)
    if answer != "locked":
        return _no_lock(f"a lock in {folder} does not keep other processes out")
    return Check("locks", "well", "a lock in the results folder keeps other processes out")


def _no_lock(found: str) -> Check:
    advice = "two processes could run one study; choose a local disk with output_dir=FOLDER"
    return Check("locks", "wrong", found, advice)


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the type of file system of a path, such as ``ext4``."""
    if not mounts.exists():
        return "unknown file system"
    lines = [line.split() for line in mounts.read_text().splitlines()]
    # A folder may be mounted over more than once: the last mount counts.
    mounted = [
        (len(line[1]), order, line[2])
        for order, line in enumerate(lines)
        if path.resolve().is_relative_to(line[1].replace("\\040", " "))
    ]
    return max(mounted)[2] if mounted else "unknown file system"


def check_disk_for(settings: DictConfig, name: str, output_dir: Path) -> list[Check]:
    """Check that the output of a study fits on disk."""
    from raystudy.errors import UserError
    from raystudy.study.plan.calibration import size_of_trial
    from raystudy.study.plan.forecast import most_bytes

    try:
        need = most_bytes(settings, size_of_trial(settings))
    except UserError as error:  # such as images that are not downloaded yet
        return [Check(f"disk for {name}", "wrong", str(error))]
    free = shutil.disk_usage(nearest_existing(output_dir)).free
    found = f"{settings.study.num_trials} trials write at most {size(need)}; {size(free)} free"
    if free > MARGIN * need:
        return [Check(f"disk for {name}", "well", found)]
    advice = (
        "free some space, lower study.num_trials, or choose another disk with output_dir=FOLDER"
    )
    return [Check(f"disk for {name}", "wrong", found, advice)]
