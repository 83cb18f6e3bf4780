"""What runs inside Ray: a trial in a warm actor, or the driver of several workers."""

import contextlib
import gc
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray
from ray import train, tune
from ray.exceptions import RayError

from raystudy.errors import TrialStoppedError
from raystudy.on_ray.devices import use_devices
from raystudy.on_ray.job import Job
from raystudy.on_ray.mailbox import open_mailbox
from raystudy.on_ray.placement_groups import note_placement_group
from raystudy.on_ray.worker_group import worker_group
from raystudy.storage import disk, file_names
from raystudy.storage.folders import TrialFolder
from raystudy.trial.endings import DISK_FULL, ending_of
from raystudy.trial.session import Session


def one_worker(job: Job) -> Callable[[dict[str, Any]], None]:
    """Return the function that Tune runs in its reused actors, once for each trial."""

    def trial(config: dict[str, Any]) -> None:
        from raystudy.on_ray.sessions import TuneSession

        folder = TrialFolder(Path(config["folder"]))
        _leave_if_gpu_is_broken()
        with _full_disk_reported() as ending:
            _prepare(folder)
            session = TuneSession(folder, tune.report)
            ending |= _ending(job, config, session, folder)
        _forget()
        if ending["outcome"] == "stopped":
            sys.exit()  # as Tune wanted, which waits for no further report
        tune.report({**ending, "done": True})

    return trial


def several_workers(job: Job) -> Callable[[dict[str, Any]], None]:
    """Return the function that Tune runs as the driver of a trial's workers.

    Raises
    ------
    ray.train.WorkerGroupError
        If a worker's process was lost: Tune then starts the trial again.
    """

    def trial(config: dict[str, Any]) -> None:
        folder = TrialFolder(Path(config["folder"]))
        with _full_disk_reported() as ending:
            _prepare(folder)
            ending |= _ending_of_workers(job, config, folder)
        tune.report({**ending, "done": True})

    return trial


def _ending_of_workers(job: Job, config: dict[str, Any], folder: TrialFolder) -> dict[str, str]:
    mailbox = open_mailbox()
    trainer = _trainer(job, config, folder, mailbox)
    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(trainer.fit)
        while not fit.done():
            report = ray.get(mailbox.next_report.remote(0.2))
            if report is not None:
                tune.report(report)
                ray.get(mailbox.answer.remote(not folder.stop.exists()))
    error = fit.exception()
    if error is None:
        ending: dict[str, str] = fit.result().return_value
        return ending
    if folder.error.exists():
        return {
            "outcome": "failed",
            "reason": _last_words(folder.error.read_text(errors=file_names.ANY)),
        }
    if not disk.shortage(error):
        folder.error.write_text(str(error), errors=file_names.ANY)
    raise error


def _trainer(job: Job, config: dict[str, Any], folder: TrialFolder, mailbox: Any) -> Any:
    def worker() -> dict[str, str]:
        from raystudy.on_ray.sessions import TrainSession

        if train.get_context().get_world_rank() == 0:
            note_placement_group(job.group_file(config["number"]))
        session = TrainSession(folder, lambda report: bool(ray.get(mailbox.ask.remote(report))))
        ending = _ending(job, config, session, folder)
        if ending["outcome"] == "failed":  # perhaps on this rank alone: end the others
            raise RuntimeError(ending["reason"])
        return ending

    return worker_group(worker, job.scaling, folder.path.name, job.storage / "train")


def _ending(
    job: Job, config: dict[str, Any], session: Session, folder: TrialFolder
) -> dict[str, str]:
    """Run a trial; every ending is a result, so that Tune never sees an error."""
    try:
        with _printing_to(folder.log):
            use_devices(job.scaling)
            _note_hosts(folder)
            job.run(config["name"] or job.name, config["overrides"], job.search_path, session)
    except TrialStoppedError:
        return {"outcome": "stopped", "reason": ""}
    except Exception as error:
        if disk.shortage(error) or _is_loss_of_a_peer(error):
            raise
        state, reason = ending_of(error)
        if state != "failed":
            return {"outcome": state, "reason": reason}
        with (
            contextlib.suppress(FileExistsError),
            folder.error.open("x", errors=file_names.ANY) as file,
        ):
            file.write(traceback.format_exc())
        return {"outcome": "failed", "reason": _last_words(traceback.format_exc())}
    return {"outcome": "completed", "reason": ""}


def _note_hosts(folder: TrialFolder) -> None:
    """Write down which machines run a trial; a collective call."""
    from torch import distributed as dist

    from trainables import distributed

    names = [socket.gethostname()] * distributed.world_size()
    if distributed.is_distributed():
        dist.all_gather_object(names, names[0])
    if distributed.rank() == 0:
        with contextlib.suppress(OSError):  # only shown
            folder.host.write_text(", ".join(dict.fromkeys(names)))


def _last_words(traceback: str) -> str:
    """Return the lines after the last frame: the exception and its message."""
    lines = traceback.strip().splitlines()
    frames = [index for index, line in enumerate(lines) if line.startswith("  ")]
    return " ".join(lines[max(frames, default=-1) + 1 :])


def _is_loss_of_a_peer(error: Exception) -> bool:
    """Return whether another rank or Ray went away, which is no fault of the trial.

    That rank's own exception, if any, is in the trial's ``error.txt``.
    """
    from torch import distributed as dist

    return isinstance(error, (RayError, dist.DistError)) or "gloo" in str(error)


@contextlib.contextmanager
def _full_disk_reported() -> Iterator[dict[str, str]]:
    """Report a full disk as its own ending, which is no fault of the trial."""
    ending: dict[str, str] = {}
    try:
        yield ending
    except Exception as error:
        if not (shortage := disk.shortage(error)):
            raise
        ending |= {"outcome": DISK_FULL, "reason": shortage}


def _prepare(folder: TrialFolder) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    for old in (folder.stop, folder.error, folder.host):
        old.unlink(missing_ok=True)


@contextlib.contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    with (
        path.open("a", buffering=1, errors=file_names.ANY) as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        yield


def _leave_if_gpu_is_broken() -> None:
    """End a process whose CUDA context an earlier trial broke; Tune starts the trial in another."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        try:
            torch.cuda.synchronize()
        except RuntimeError:
            os._exit(1)


def _forget() -> None:
    """Free memory for the next trial of this process."""
    gc.collect()
    gc.freeze()  # what is left are modules: looking through them took 0.15 s a trial
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
