"""One suite on one trained network: measured, kept on disk, resumed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from raystudy import checkpoint, provenance, split_ledger, trained
from raystudy.errors import UserError
from raystudy.evaluation import published, record
from raystudy.evaluation.published import Published
from raystudy.study_folder import write_atomically
from raystudy.trained import Origin
from raystudy.trial import build_suite, load_splits
from trainables.data.image_set import Splits
from trainables.evaluate.suite import Measurement, Step, Suite
from trainables.evaluate.transfer import Transfer

SAVE_EVERY_S = 2.0
Progress = Callable[[Step], bool]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What shall be measured of what.

    Parameters
    ----------
    origin : Origin
    suite : str
        Name of a YAML in ``search_spaces/suite``.
    overrides : tuple of str
        The user's: of the suite, the data, the device.
    output_dir : Path
        For what is measured of files from elsewhere.
    """

    origin: Origin
    suite: str
    overrides: tuple[str, ...]
    output_dir: Path

    @property
    def folder(self) -> Path:
        """Where the results lie."""
        home = self.origin.folder or self.output_dir / "weights" / self.origin.weights.stem
        return home / "evaluations"

    @property
    def results(self) -> Path:
        """What was measured, as JSON."""
        return self.folder / f"{self.suite}.json"

    @property
    def state(self) -> Path:
        """What an unfinished measuring goes on from."""
        return self.folder / f"{self.suite}.ckpt"

    def settings(self) -> DictConfig:
        """Return the trial's configuration with the suite and the user's overrides."""
        return self.origin.settings([f"+suite={self.suite}", *self.overrides])


def measure(order: Order, progress: Progress) -> dict[str, Any] | None:
    """Measure what is left, keeping it on disk, and return the record; None if interrupted.

    Parameters
    ----------
    order : Order
    progress : callable (Step) -> bool
        Hears of every step; False interrupts, and nothing is lost.
    """
    settings = order.settings()
    key = _key(order, settings)
    if (known := _finished(order, key)) is not None:
        return known
    measurement, suite, splits = build(order, settings)
    order.folder.mkdir(parents=True, exist_ok=True)
    if suite.split == "test" and order.origin.study and not order.state.is_file():
        number = [order.origin.number]
        split_ledger.record(
            order.origin.study.path, f"evaluate suite={order.suite}", configurations=number
        )
    seconds = _restore(measurement, order, key)
    started = saved = time.monotonic()

    def save() -> None:
        spent = seconds + time.monotonic() - started
        state = {"key": key, "seconds": spent, "measurement": measurement.state_dict()}
        checkpoint.save(state, order.state)

    for step in _steps(measurement):
        going_on = progress(step)
        if not going_on or time.monotonic() - saved > SAVE_EVERY_S:
            save()
            saved = time.monotonic()
        if not going_on and not measurement.is_done:
            return None
    found = record.make(
        order.origin,
        suite,
        settings,
        splits,
        measurement.results(),
        key=key,
        seconds=seconds + time.monotonic() - started,
        provenance=provenance.collect(),
    )
    save()
    text = json.dumps(published.beside(found, _published(order, settings)), indent=2)
    write_atomically(order.results, f"{text}\n")
    if not suite.transfers:  # which want the classifiers once more
        order.state.unlink()
    return dict(json.loads(text))


def _published(order: Order, settings: DictConfig) -> Published | None:
    origin = order.origin
    if origin.study is None:  # nobody knows how it was trained
        return None
    return published.find(
        order.suite, origin.name, origin.settings(), settings.data.name, origin.search_path
    )


def build(order: Order, settings: DictConfig) -> tuple[Measurement, Suite, Splits]:
    """Load the network and the data, and build the suite."""
    network = trained.load(order.origin, order.overrides)
    splits = load_splits(settings)
    suite = build_suite(settings)
    channels, needed = splits.train.images.shape[1], network.splits.train.images.shape[1]
    transfers = all(isinstance(p, Transfer) and p.channels for p in suite.protocols.values())
    if channels != needed and not transfers:
        raise UserError(
            f"data={settings.data.name} has {channels} channels, but {order.origin.label} was "
            f"trained on {needed}; only a protocol of transfer with `channels: {needed}` bridges "
            f"that."
        )
    # A head knows the classes it was trained on.
    head = network.head if settings.data.name == network.config.data.name else None
    return Measurement(suite, network.encoder, splits, head), suite, splits


def _steps(measurement: Measurement) -> Iterator[Step]:
    try:
        yield from measurement.steps()
    except ValueError as error:  # a protocol that does not fit this network
        raise UserError(" ".join(str(error).split())) from error


def _key(order: Order, settings: DictConfig) -> str:
    """Return what a measuring may be gone on with only if it is the same: suite, data, weights."""
    plain = [OmegaConf.to_container(settings[name], resolve=True) for name in ("suite", "data")]
    weights = hashlib.sha256(order.origin.weights.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps([plain, weights], sort_keys=True).encode()).hexdigest()[:16]


def finished_measurement(order: Order) -> tuple[Measurement, Suite, Splits]:
    """Return a measuring that is done and whose classifiers can be had again."""
    settings = order.settings()
    measurement, suite, splits = build(order, settings)
    _restore(measurement, order, _key(order, settings))
    return measurement, suite, splits


def _finished(order: Order, key: str) -> dict[str, Any] | None:
    if not order.results.is_file():
        return None
    known: dict[str, Any] = json.loads(order.results.read_text())
    return known if known.get("key") == key else None


def _restore(measurement: Measurement, order: Order, key: str) -> float:
    """Take over what an interrupted measuring left, and return the seconds it took."""
    if not order.state.is_file():
        return 0.0
    state = checkpoint.load(order.state)
    if state["key"] != key:
        return 0.0
    measurement.load_state_dict(state["measurement"])
    return float(state["seconds"])
