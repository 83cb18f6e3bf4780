"""A resumable suite of measurements of one encoder."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from trainables.attacks.balls import Ball
from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.ball_name import ball_name
from trainables.networks.encoder import Encoder
from trainables.precision import Precision, refuse_unknown
from trainables.protocols.base import EvaluationProtocol, Fitting, Split, finish, is_right
from trainables.protocols.batch_size import fitting_batch_size
from trainables.protocols.label_share import LabelShare
from trainables.ranges import refuse_not_whole
from trainables.suite.masking import Evidence, signs_of_masking
from trainables.suite.masking_checks import MaskingChecks
from trainables.suite.robustness import RobustnessCurve
from trainables.suite.step import Step


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What is measured of an encoder: each protocol's classifier, clean and under each attack.

    Parameters
    ----------
    protocols : mapping of str to EvaluationProtocol
        By the names they have in tables.
    attacks : mapping of str to RobustnessCurve
        May be empty.
    transfers : mapping of str to RobustnessCurve
        Attacks whose images, made on one network, are shown to the others.
    checks : MaskingChecks, optional
        Made on every classifier, in the smallest ball of each norm.
    split : {"test", "val"}
    max_images : int, optional
        The first so many of the split; all if left out.
    batch_size : int, optional
        Images attacked at once; as many as fit if left out.
    seed : int
        Of starts and targets.
    precision : {"float32", "bfloat16"}
        ``bfloat16`` is that of every attack, as `RobustnessCurve` has it.
    corrupted : bool
        Whether it is about corrupted images, which the data then must have.
    """

    protocols: Mapping[str, EvaluationProtocol]
    attacks: Mapping[str, RobustnessCurve] = field(default_factory=dict)
    transfers: Mapping[str, RobustnessCurve] = field(default_factory=dict)
    checks: MaskingChecks | None = field(default_factory=MaskingChecks)
    split: Split = "test"
    max_images: int | None = None
    batch_size: int | None = None
    seed: int = 0
    precision: Precision = "float32"
    corrupted: bool = False

    def __post_init__(self) -> None:
        if not self.protocols:
            raise ValueError("suite.protocols must name at least one protocol, got none.")
        if self.split not in ("val", "test"):
            raise ValueError(f"suite.split must be val or test, got '{self.split}'.")
        for name in ("max_images", "batch_size"):
            if (value := getattr(self, name)) is not None:
                refuse_not_whole(f"suite.{name}, if not null,", value)
        refuse_not_whole("suite.seed", self.seed, least=0)
        refuse_unknown("suite.precision", self.precision)

    def images(self, splits: Splits) -> ImageSet:
        """Return what is measured on."""
        whole = splits.val if self.split == "val" else splits.test
        return whole.labelled.rows(slice(self.max_images))


class Measurement:
    """The measuring of one encoder.

    Parameters
    ----------
    suite : Suite
    encoder : Encoder
        Only copied, never moved.
    splits : Splits
        On the device where to measure.
    head : nn.Module, optional
        Of methods that train one.
    """

    def __init__(
        self, suite: Suite, encoder: Encoder, splits: Splits, head: nn.Module | None = None
    ) -> None:
        self._suite = suite
        self._encoder = encoder
        self._splits = splits
        self._head = head
        self._images = suite.images(splits)
        self._done: dict[str, dict[str, Any]] = {}

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return all(self._done.get(name, {}).get("finished") for name in self._suite.protocols)

    def steps(self) -> Iterator[Step]:
        """Do what is left and yield after every piece; between two, `state_dict` is whole."""
        for protocol in self._suite.protocols.values():
            if isinstance(labels := getattr(protocol, "labels", None), LabelShare):
                labels.of(self._splits.train)  # refuses now what it would refuse after hours
        for name in self._suite.protocols:
            done = self._done.setdefault(name, {"attacks": {}, "evidence": {}, "seconds": {}})
            if done.get("finished"):
                continue
            classifier = yield from self._fit(name, done)
            if "clean" not in done:
                done["clean"] = is_right(classifier, self._images).cpu()
            yield from self._corrupt(name, classifier, done)
            size = done.setdefault(
                "batch_size",
                self._suite.batch_size
                or fitting_batch_size(classifier, self._images.pixels(slice(1))[0]),
            )
            yield from self._attack(name, classifier, done, size)
            yield from self._check(name, classifier, done, size)
            done["finished"] = True

    def classifier(self, protocol: str) -> nn.Module:
        """Return a protocol's classifier, fitted to the end, in eval mode."""
        return finish(self._fitting(protocol))

    def _fitting(self, name: str) -> Fitting:
        fitting = self._suite.protocols[name](self._encoder, self._splits, head=self._head)
        if "fitting" in self._done.get(name, {}):
            fitting.load_state_dict(self._done[name]["fitting"])
        return fitting

    def _fit(self, name: str, done: dict[str, Any]) -> Generator[Step, None, nn.Module]:
        fitting = self._fitting(name)
        for result in fitting.epochs():
            done["fitting"] = fitting.state_dict()
            done["flattering"] = {
                key: value for key, value in result.metrics.items() if "best_on_test" in key
            }
            _add_seconds(done, "fit", result.seconds)
            yield Step(f"{name}: fitting", result.epoch / fitting.max_epochs)
        return fitting.classifier

    def _corrupt(
        self, protocol: str, classifier: nn.Module, done: dict[str, Any]
    ) -> Iterator[Step]:
        """Measure on the test images' corrupted versions, where the data have such."""
        sets = self._splits.corrupted if self._suite.split == "test" else {}
        found: dict[str, Tensor] = done.setdefault("corrupted", {})
        for name in [one for one in sets if one not in found]:
            parts = [part.rows(slice(self._suite.max_images)) for part in sets[name]]
            device = self._images.labels.device
            found[name] = torch.stack([is_right(classifier, p.to(device)).cpu() for p in parts])
            yield Step(f"{protocol}: corruptions", len(found) / len(sets))

    def _attack(
        self, protocol: str, classifier: nn.Module, done: dict[str, Any], size: int
    ) -> Iterator[Step]:
        earlier: dict[str, RobustnessCurve] = {}
        for name, attack in self._suite.attacks.items():
            parts: list[Tensor] = done["attacks"].setdefault(name, [])
            batches = -(-len(self._images) // size)
            started = time.perf_counter()
            left, in_it = attack.after(earlier)
            earlier[name] = attack
            if self._suite.precision == "bfloat16":
                left = replace(left, precision="bfloat16")
            for right in left.robust_images(
                classifier,
                self._images,
                batch_size=size,
                seed=self._suite.seed,
                done=len(parts),
                standing=_standing([done["attacks"][one] for one in in_it]),
            ):
                parts.append(right)
                _add_seconds(done, name, time.perf_counter() - started)
                yield Step(f"{protocol}: {name}", len(parts) / batches)
                started = time.perf_counter()

    def _check(
        self, protocol: str, classifier: nn.Module, done: dict[str, Any], size: int
    ) -> Iterator[Step]:
        checks = self._suite.checks
        for name, ball in self._balls().items() if checks else ():
            assert checks is not None
            known = done["evidence"].get(name)
            for evidence in checks.gather(
                classifier,
                ball,
                self._images,
                batch_size=size,
                seed=self._suite.seed,
                known=Evidence(**known) if known else None,
            ):
                done["evidence"][name] = asdict(evidence)
                yield Step(f"{protocol}: masking check, {name}", checks.share(evidence))

    def _balls(self) -> dict[str, Ball]:
        """Return the smallest ball of each norm that is attacked in, by norm and radius."""
        balls: dict[str, Ball] = {}
        for attack in self._suite.attacks.values():
            for ball in map(attack.within, filter(None, attack.radii)):
                known = balls.get(norm_of(ball), ball)
                balls[norm_of(ball)] = min(ball, known, key=lambda one: one.epsilon)
        return {ball_name(norm, ball.epsilon): ball for norm, ball in balls.items()}

    def results(self) -> dict[str, Any]:
        """Return what is measured so far, as plain values.

        By protocol: which images are right, clean, by attack and, for each severity, by
        corruption; how many were attacked at once,
        for each batch has random starts of its own; the seconds each took; evidence of masked
        gradients by ball, and what it says in words.
        """
        return {name: self._result(name) for name in self._suite.protocols if name in self._done}

    def _result(self, name: str) -> dict[str, Any]:
        done = self._done[name]
        attacks = {
            attack: {"epsilons": self._suite.attacks[attack].radii, "right": torch.cat(parts, 1)}
            for attack, parts in done["attacks"].items()
            if parts
        }
        return {
            "clean": done.get("clean"),
            "batch_size": done.get("batch_size"),
            "attacks": attacks,
            "corrupted": dict(done.get("corrupted", {})),
            "seconds": dict(done["seconds"]),
            "flattering": dict(done.get("flattering", {})),
            "evidence": done["evidence"],
            "warnings": {
                ball: signs_of_masking(Evidence(**evidence))
                for ball, evidence in done["evidence"].items()
            },
        }

    def state_dict(self) -> dict[str, Any]:
        """Return everything the suite continues from, as tensors and plain values."""
        return {"protocols": self._done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        self._done = state["protocols"]


def _standing(attacks: Sequence[list[Tensor]]) -> Tensor | None:
    """Return which images, shape (E, N), are right under all of several attacks."""
    if not attacks:
        return None
    return torch.stack([torch.cat(parts, dim=1) for parts in attacks]).all(dim=0)


def norm_of(ball: Ball) -> str:
    """Return ``linf``, ``l2`` or ``l1``."""
    return type(ball).__name__.removesuffix("Ball").lower()


def _add_seconds(done: dict[str, Any], name: str, seconds: float) -> None:
    done["seconds"][name] = done["seconds"].get(name, 0.0) + seconds
