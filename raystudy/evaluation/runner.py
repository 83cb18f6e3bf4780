"""One suite on one trained network: evaluated, stored on disk, resumed."""

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig, OmegaConf

from raystudy.config import scopes
from raystudy.config.scopes import Scope
from raystudy.errors import UserError
from raystudy.evaluation import network as trained
from raystudy.evaluation import published, record
from raystudy.evaluation.locate import Origin
from raystudy.evaluation.published import Published
from raystudy.storage import checkpoint, provenance, split_readings
from raystudy.storage.folders import write_atomically
from raystudy.study import evaluated
from raystudy.trial import images
from raystudy.trial.build import build_suite, load_splits
from trainables.data.fingerprint import fingerprint
from trainables.data.image_set import Splits
from trainables.data.splitting import is_one_class
from trainables.memory import keep_freed_memory
from trainables.protocols.transfer import Transfer
from trainables.suite.step import Step
from trainables.suite.suite import Measurement, Suite


class Resumable(Protocol):
    """What continues from a state."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""


SAVE_EVERY_S = 2.0
SAVE_SHARE = 20  # of the time a saving takes, at least between two: a large network's takes long
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
        """The results file."""
        weights = self.origin.weights
        if self.origin.folder is None:  # others may have files of the same name
            name = f"{weights.stem}-{_digest(weights)[:8]}"
            return self.output_dir / "weights" / name / "evaluations"
        home = self.origin.folder / "evaluations"
        return home if self.origin.usual else home / weights.stem

    @property
    def results(self) -> Path:
        """What was measured, as JSON."""
        return self.folder / f"{self.suite}.json"

    @property
    def state(self) -> Path:
        """The checkpoint of an unfinished evaluation."""
        return self.folder / f"{self.suite}.ckpt"

    def state_key(self, splits: Splits) -> str:
        """Return what must be unchanged for an evaluation to be continued.

        Of suite, data, network, weights and the very images.
        """
        return f"{_key(self, self.settings())} {fingerprint(splits)}"

    def settings(self) -> DictConfig:
        """Return the trial's configuration with the suite and the user's overrides."""
        return self.origin.settings([f"+suite={self.suite}", *self.overrides])


def measure(order: Order, progress: Progress) -> dict[str, Any] | None:
    """Measure what is left, keeping it on disk, and return the record; None if interrupted.

    Parameters
    ----------
    order : Order
    progress : callable (Step) -> bool
        Called after every step; False interrupts, and nothing is lost.
    """
    keep_freed_memory()
    settings = order.settings()
    splits = load_splits(settings)
    key = _key(order, settings)
    if (known := _finished(order, key, splits)) is not None:
        return known
    measurement, suite = build(order, settings, splits)
    if study := order.origin.study:
        images.refuse_trained_on(study, order.origin.label, suite.images(splits), splits)
    order.folder.mkdir(parents=True, exist_ok=True)
    before = restore(measurement, order, order.state_key(splits))
    if before is None:
        note_reading(order, suite, f"evaluate suite={order.suite}")
    seconds = before or 0.0
    started = time.monotonic()

    def save() -> None:
        spent = seconds + time.monotonic() - started
        state = {
            "key": order.state_key(splits),
            "seconds": spent,
            "measurement": measurement.state_dict(),
        }
        checkpoint.save(state, order.state)

    saving = Saving(save)
    for step in _steps(measurement):
        proceed = progress(step)
        saving.now_and_then(at_once=not proceed)
        if not proceed and not measurement.is_done:
            return None
    found = record.make_record(
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
    return published.find_table(
        order.suite, origin.name, origin.settings(), settings.data.name, origin.search_path
    )


def build(order: Order, settings: DictConfig, splits: Splits) -> tuple[Measurement, Suite]:
    """Load the network and build the suite."""
    network = trained.load(order.origin, order.overrides)
    suite = build_suite(settings)
    if is_one_class(suite.images(splits).labels):
        raise UserError(
            f"suite.max_images={suite.max_images}: the first {suite.split} images are all of one "
            f"class, with nothing to distinguish; raise it."
        )
    if suite.corrupted and not splits.corrupted:
        raise UserError(
            f"suite={order.suite} is of corrupted test images, and data={settings.data.name} has "
            f"none; add data=cifar10_c, or data of your own that have."
        )
    channels, needed = splits.train.images.shape[1], network.splits.train.images.shape[1]
    transfers = all(isinstance(p, Transfer) and p.channels for p in suite.protocols.values())
    if channels != needed and not transfers:
        raise UserError(
            f"data={settings.data.name} has {channels} channels, but {order.origin.label} was "
            f"trained on {needed}; only a protocol of transfer with `channels: {needed}` bridges "
            f"that."
        )
    # A head knows the classes it was trained on.
    head = network.head if splits.classes == network.splits.classes else None
    return Measurement(suite, network.encoder, splits, head), suite


def _steps(measurement: Measurement) -> Iterator[Step]:
    try:
        yield from measurement.steps()
    except ValueError as error:  # a protocol that does not fit this network
        raise UserError(" ".join(str(error).split())) from error


def _key(order: Order, settings: DictConfig) -> str:
    """Return what two measurings share only if they are of the same network by the same suite.

    Whether the images of the data are the same, too, their fingerprint says.
    """
    return hash_of(order, evaluated.class_names(_plain(settings)))


def _key_of_format_1(order: Order) -> str:
    return hash_of(order, evaluated.paths_of_format_1(_plain(order.settings())))


def hash_of(order: Order, plain: list[Any]) -> str:
    """Return a hash of plain settings and of the very weights."""
    text = json.dumps([plain, order.origin.prefix, _digest(order.origin.weights)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(settings: DictConfig) -> list[Any]:
    """Return what decides what is measured: suite, data, encoder."""
    parts = ("suite", "data", "encoder")
    plain: list[Any] = [OmegaConf.to_container(settings[name], resolve=True) for name in parts]
    if plain[0].get("precision") == evaluated.UNLESS_SAID:  # as suites were before they said so
        del plain[0]["precision"]
    return [without_places(section, name) for section, name in zip(plain, parts, strict=True)]


def without_places(section: Any, path: str) -> Any:
    """Return a section without where the images are, which their fingerprint identifies."""
    if not isinstance(section, dict):
        return section
    inside = {key: f"{path}.{key}" for key in section}
    return {
        key: without_places(section[key], inside[key])
        for key in section
        if scopes.of(inside[key]) is not Scope.IMAGES
    }


def _digest(weights: Path) -> str:
    return _digest_of(weights, weights.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _digest_of(weights: Path, _changed: int) -> str:
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def finished_measurement(order: Order) -> tuple[Measurement, Suite, Splits]:
    """Return a measuring whose classifiers can be had again, fitted anew where they are gone."""
    settings = order.settings()
    splits = load_splits(settings)
    measurement, suite = build(order, settings, splits)
    restore(measurement, order, order.state_key(splits))
    return measurement, suite, splits


def note_reading(order: Order, suite: Suite, what: str) -> None:
    """Note in the study's ledger that its test images are about to be read."""
    if suite.split == "test" and order.origin.study:
        number = [order.origin.number]
        split_readings.record(order.origin.study.path, what, configurations=number)


class Saving:
    """Saves now and then: often enough to lose little, seldom enough to cost little.

    Parameters
    ----------
    save : callable
    """

    def __init__(self, save: Callable[[], None]) -> None:
        self._save = save
        self._next = time.monotonic() + SAVE_EVERY_S

    def now_and_then(self, *, at_once: bool = False) -> None:
        """Save if it is time to, or `at_once`."""
        if not at_once and time.monotonic() < self._next:
            return
        started = time.monotonic()
        self._save()
        ended = time.monotonic()
        self._next = ended + max(SAVE_EVERY_S, SAVE_SHARE * (ended - started))


def _finished(order: Order, key: str, splits: Splits) -> dict[str, Any] | None:
    if not order.results.is_file():
        return None
    known = evaluated.read(order.results)
    if known["format"] == 1:
        key = _key_of_format_1(order)
    same = (known["key"], known["data_fingerprint"]) == (key, fingerprint(splits))
    return known if same else None


def restore(measurement: Resumable, order: Order, key: str) -> float | None:
    """Take over what an interrupted measuring left; return the seconds it took, None if nothing."""
    if not order.state.is_file():
        return None
    state = checkpoint.load(order.state)
    if state["key"] != key:
        return None
    measurement.load_state_dict(state["measurement"])
    return float(state["seconds"])
