"""Trials that run in Ray's processes: known curves, and accidents on command."""

import os
import signal
from pathlib import Path

import torch
from ray._private.state import actors
from torch import distributed as dist

from raystudy.storage import disk
from trainables import distributed
from trainables.trainer import TrainingCollapsedError

EPOCHS = 5
COLLAPSE = "catastrophic overfitting, made up"


def nodes_of(actor):
    """Return the nodes of each actor of this class, running or not, and of what started it."""
    addresses = ("Address", "OwnerAddress")
    return [
        tuple(one[address]["NodeID"] for address in addresses)
        for one in actors().values()
        if one["ActorClassName"] == actor
    ]


def curve(name, _overrides, _search_path, session):
    """Report EPOCHS epochs, going on from the last checkpoint; accidents by the trial's number."""
    number = int(session.folder.path.name)
    checkpoint = session.folder.last_checkpoint
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    if done:
        session.report(done, measures(number, done))
    for epoch in range(done + 1, EPOCHS + 1):
        print(f"epoch {epoch} in process {os.getpid()}")  # noqa: T201
        if distributed.is_distributed():
            dist.all_reduce(torch.ones(1))
        if distributed.rank() == 0:
            with disk.replacing(checkpoint) as file:  # it may be killed at any moment
                file.write(str(epoch).encode())
        session.report(epoch, measures(number, epoch))
        accident(name, number, epoch, resumed=done > 0)


def measures(number, epoch):
    return {"val/robust_accuracy": 0.1 * epoch / (1 + number), "train/loss": 1.0 / epoch}


def accident(name, number, epoch, *, resumed):
    """Have the accident that the study is named after."""
    if name == "killed" and (number, epoch, resumed) == (1, 3, False):
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "killed" and number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "one_rank_killed" and (distributed.rank(), epoch, resumed) == (1, 3, False):
        os.kill(os.getpid(), signal.SIGKILL)
    first = (distributed.rank(), epoch, resumed) == (0, 3, False)
    if name == f"disk_full_in_{number}" and first:
        Path("/dev/full").write_text("as a checkpoint would")
    if name == "mixed" and number == 1:
        raise ValueError("bad\nluck")


def mixed(name, overrides, search_path, session):
    """Trial 1 raises after its first epoch, 2 reports NaN, 4 collapses; later ones are worse."""
    if session.folder.path.name == "0004":
        session.report(1, measures(0, 1))
        raise TrainingCollapsedError(COLLAPSE)
    if session.folder.path.name == "0002":
        session.report(1, {"val/robust_accuracy": float("nan")})
    curve(name, overrides, search_path, session)
