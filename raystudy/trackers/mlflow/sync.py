"""Deliver what waits on disk, now."""

import subprocess
from collections.abc import Callable

from raystudy.storage.folders import StudyFolder
from raystudy.storage.spool import Spool, read
from raystudy.study.tracker import SyncResult
from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.contact import PATIENCE_S, reach, takes_nothing
from raystudy.trackers.mlflow.delivered import count_waiting
from raystudy.trackers.mlflow.delivery import Delivery, alone
from raystudy.trackers.mlflow.uploader import start


def sync(
    folder: StudyFolder,
    uri: str,
    *,
    artifacts: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SyncResult:
    """Deliver the events of a study that no driver runs.

    Where a driver died the study ends as interrupted, so that no run stays open.

    Parameters
    ----------
    folder : StudyFolder
    uri : str
        Another store than before gets everything from the beginning.
    artifacts : str, optional
        Folder for files where the store is a database.
    progress : callable (delivered, total) -> None, optional

    Raises
    ------
    UserError
        If a driver runs the study: it delivers by itself; or if another process delivers.
    """
    with folder.locked(), alone(folder, limit_s=PATIENCE_S):
        if not folder.spool.exists():
            return SyncResult(delivered=0, waiting=0)
        _close_if_open(folder)
        total, delivered, refused = count_waiting(folder, uri), 0, list[str]()
        try:
            reach(uri)
            delivery = Delivery(folder, MlflowStore(uri, artifacts, refused.append), uri)
            while step := delivery.step():
                delivered += step
                if progress is not None:
                    progress(delivered, total)
        except Exception as error:  # of any library between here and the server
            return SyncResult(
                delivered, total - delivered, tuple(refused), takes_nothing(uri, error)
            )
    return SyncResult(delivered, 0, tuple(refused))


def continue_in_background(folder: StudyFolder, uri: str, artifacts: str | None) -> int:
    """Start a process that tries, ever more rarely, until all is delivered; return its number."""
    order = {
        "folder": str(folder.path),
        "uri": uri,
        "artifacts": artifacts,
        "until_delivered": True,
    }
    return start(order, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid


def _close_if_open(folder: StudyFolder) -> None:
    is_open, last = False, 0
    for event, _ in read(folder.spool):
        if event["kind"] not in ("attached", "registered"):
            last = event.get("time", last)
        if event["kind"] in ("study_started", "study_finished"):
            is_open = event["kind"] == "study_started"
    if is_open:
        spool = Spool(folder.spool)
        spool.append({"kind": "study_finished", "time": last, "state": "interrupted"})
        spool.close()
