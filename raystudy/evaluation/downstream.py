"""One downstream task on one trained encoder: fitted, measured, stored on disk, resumed."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from raystudy.config import compose
from raystudy.errors import UserError
from raystudy.evaluation import network, record, runner
from raystudy.evaluation.locate import FOREIGN
from raystudy.evaluation.runner import Order, Progress, Saving
from raystudy.storage import checkpoint, provenance
from raystudy.storage.folders import write_atomically
from raystudy.study import evaluated
from raystudy.trial.build import build_downstream, load_annotated, pick_device
from trainables import distributed
from trainables.data.annotated.images import AnnotatedSplits
from trainables.memory import keep_freed_memory
from trainables.networks.encoder import Encoder
from trainables.protocols.base import Fitting
from trainables.protocols.downstream.base import DownstreamTask
from trainables.protocols.fitting import TrainedFitting
from trainables.suite.step import Step
from trainables.trainer import TrainingDivergedError

BATCHES = 50  # between two places inside an epoch where a fitting may be saved or end


@dataclass(frozen=True, kw_only=True)
class DownstreamOrder(Order):
    """A downstream task in the place of a suite: `suite` is an option of ``protocol``."""

    def settings(self) -> DictConfig:
        """Return the settings of task, data and device; the trial's own have no say in them."""
        chosen = [f"+protocol={self.suite}", *self.overrides]
        return compose.load(FOREIGN, chosen, self.origin.search_path)


def measure(order: DownstreamOrder, progress: Progress) -> dict[str, Any] | None:
    """Fit and measure what is left, keeping it on disk; return the record, None if interrupted.

    Parameters
    ----------
    order : DownstreamOrder
    progress : callable (Step) -> bool
        Called after every step; False interrupts, and nothing is lost.
    """
    keep_freed_memory()
    settings = order.settings()
    task = build_downstream(settings, order.suite)
    splits = load_annotated(settings, task.task)
    key = f"{_key(order, settings)} {splits.fingerprint}"
    if order.results.is_file():
        known = evaluated.read(order.results)
        if known.get("key") == key:
            return known
    started = time.monotonic()
    with _faults_of(order):
        reached = _reached(order, task, splits, key, progress)
    if reached is None:
        return None
    scores, spent = reached
    made = _record(order, settings, splits, key) | {
        "scores": scores,
        "seconds": round(spent + time.monotonic() - started, 2),
    }
    if distributed.rank() == 0:
        write_atomically(order.results, f"{json.dumps(made, indent=2)}\n")
        order.state.unlink(missing_ok=True)
    return made


def _reached(
    order: DownstreamOrder,
    task: DownstreamTask,
    splits: AnnotatedSplits,
    key: str,
    progress: Progress,
) -> tuple[dict[str, float], float] | None:
    """Return the scores, and the seconds spent before this call; None if interrupted."""
    device = torch.device(pick_device(order.settings().device))
    encoder = network.load_for_other_images(order.origin, order.overrides)
    _refuse_other_channels(order, encoder, splits)
    fitting = task(encoder, splits, device)
    spent = runner.restore(fitting, order, key) or 0.0
    order.folder.mkdir(parents=True, exist_ok=True)
    if not _fit(order, fitting, key, spent, progress):
        return None
    scores = task.scores(fitting.classifier, splits, device)
    progress(Step(f"{order.suite}: measuring", 1.0))
    return scores, spent


@contextmanager
def _faults_of(order: Order) -> Iterator[None]:
    """Turn what a file that is read only now, or a learning rate, is to blame for into words."""
    try:
        yield
    except TrainingDivergedError as error:
        raise UserError(
            f"protocol={order.suite}: {str(error).rstrip('.')}; lower protocol.fit.optimizer.lr."
        ) from error
    except ValueError as error:
        raise UserError(f"protocol={order.suite}: {' '.join(str(error).split())}") from error


def _fit(order: Order, fitting: Fitting, key: str, spent: float, progress: Progress) -> bool:
    """Do the epochs that are left and return whether none was interrupted."""
    started = time.monotonic()

    def save() -> None:
        if distributed.rank() > 0:
            return
        seconds = spent + time.monotonic() - started
        state = {"key": key, "seconds": seconds, "measurement": fitting.state_dict()}
        checkpoint.save(state, order.state)

    saving = Saving(save)
    # An epoch of detection takes hours.
    inside = fitting.stretches(BATCHES) if isinstance(fitting, TrainedFitting) else None
    for result in fitting.epochs() if inside is None else inside:
        proceed = progress(Step(f"{order.suite}: fitting", fitting.epoch / fitting.max_epochs))
        is_last = result is not None and result.epoch == fitting.max_epochs  # measuring is long
        saving.now_and_then(at_once=not proceed or is_last)
        if not proceed:
            return False
    return True


def _key(order: Order, settings: DictConfig) -> str:
    task = evaluated.class_names(_plain(settings.protocol))
    data = runner.without_places(_plain(settings.data), "data")
    # Mean and deviation are no weights.
    encoder = evaluated.class_names(_plain(order.origin.settings().encoder))
    return runner.hash_of(order, [task, data, encoder])


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True)


def _refuse_other_channels(order: Order, encoder: Encoder, splits: AnnotatedSplits) -> None:
    first = next((part for part in encoder.modules() if isinstance(part, nn.Conv2d)), None)
    if first is not None and first.in_channels != splits.train.channels:
        raise UserError(
            f"data.channels={splits.train.channels}, but {order.origin.label} was trained on "
            f"images of {first.in_channels}; set data.channels={first.in_channels}."
        )


def _record(
    order: Order, settings: DictConfig, splits: AnnotatedSplits, key: str
) -> dict[str, Any]:
    protocol = _plain(settings.protocol)
    context = {
        "data": settings.data.name,
        "data_fingerprint": splits.fingerprint,
        "split": "test",
        "images": len(splits.test),
    }
    text = json.dumps([evaluated.class_names(protocol), context], sort_keys=True)
    return {
        "format": evaluated.FORMAT,
        "key": key,
        **record.of_origin(order.origin),
        **context,
        "protocol": order.suite,
        "settings": protocol,
        "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:12],
        "provenance": asdict(provenance.collect()),
    }
