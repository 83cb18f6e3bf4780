"""Check of a sweep before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from raystudy.config.scaling import Scaling, read_scaling
from raystudy.config.spec import StudySpec
from raystudy.errors import UserError
from raystudy.search.trial_scheduler import read_trial_scheduler
from raystudy.study import warm_start
from raystudy.study.open_tracker import open_tracker

if TYPE_CHECKING:  # torch takes its time
    from trainables.data.image_set import Splits
    from trainables.evaluate.base import Evaluator


LARGEST_OF_CIFAR_STEM = 96  # pixels: STL-10's, the largest that a paper shows it


@dataclass(frozen=True)
class Findings:
    """What a trial run of the published recipe found.

    Parameters
    ----------
    images : str
        Sizes of the splits and shape of an image.
    parameters : int
        Trainable numbers of the method.
    splits : Splits
        The images themselves, on the CPU.
    notes : tuple of str
        What the user should know of them.
    measured_on : mapping of str to int
        Of how many images each measure is a share.
    """

    images: str
    parameters: int
    splits: "Splits"
    notes: tuple[str, ...] = ()
    measured_on: Mapping[str, int] = field(default_factory=dict)


def check_plan(config: DictConfig) -> Findings:
    """Load the data and build the published recipe once, on the CPU, training nothing.

    Raises
    ------
    UserError
        For whatever a trial would have refused.
    """
    from raystudy.config import value_types
    from raystudy.trial.build import build_evaluators, build_trainer, load_splits
    from trainables.data.splitting import missing_classes
    from trainables.evaluate.base import images_of

    value_types.check(config)
    _refuse_other_device(config.device, read_scaling(config))
    open_tracker(config)
    on_cpu = config.copy()
    on_cpu.device = "cpu"
    splits = load_splits(on_cpu)
    trainer = build_trainer(on_cpu, splits)
    spec = StudySpec.read(config.study)
    evaluators = build_evaluators(on_cpu)
    _refuse_unmeasured(spec, evaluators)
    _refuse_few(evaluators, splits)
    read_trial_scheduler(config, spec)
    warm_start.check(config, spec, splits)
    channels, height, width = splits.train.images.shape[1:]
    stem = config.encoder.get("stem", "")
    images = (
        f"{len(splits.train):,} train, {len(splits.val):,} val, {len(splits.test):,} test; "
        f"{splits.num_classes} classes, {channels}x{height}x{width}"
    )
    return Findings(
        images=images,
        parameters=sum(p.numel() for p in trainer.method.parameters() if p.requires_grad),
        splits=splits,
        notes=(*missing_classes(splits), *_stem_notes(stem, min(height, width))),
        measured_on=images_of(evaluators.values(), splits),
    )


def _stem_notes(stem: str, size: int) -> list[str]:
    """Return what to know of an encoder made for images of another size."""
    if stem == "cifar" and size > LARGEST_OF_CIFAR_STEM:
        return [
            f"encoder.stem=cifar is for images of 32 to 64 pixels and keeps all {size}: a step "
            f"takes about 16 times the time and memory that it does with encoder.stem=imagenet"
        ]
    return []


def _refuse_few(evaluators: Mapping[str, "Evaluator"], splits: "Splits") -> None:
    """Refuse to measure on so few images that all are of one class."""
    from trainables.data.splitting import is_one_class

    for name, evaluate in evaluators.items():
        most = getattr(evaluate, "max_images", None)
        judges = any(measure.startswith("val/") for measure in evaluate.measures)
        if judges and most and is_one_class(splits.val.labels[:most]):
            raise UserError(
                f"evaluate.{name}.max_images={most}: the first validation images are all of one "
                f"class, with nothing to distinguish; raise it."
            )


def _refuse_other_device(device: str, scaling: Scaling) -> None:
    other = "cpu" if scaling.use_gpu else "cuda"
    if device == other:
        raise UserError(
            f"device={device}, but scaling.use_gpu={str(scaling.use_gpu).lower()}: what a trial "
            f"of a sweep is given decides what it trains on; leave device=auto."
        )


def _refuse_unmeasured(spec: StudySpec, evaluators: Mapping[str, "Evaluator"]) -> None:
    measures = [measure for evaluate in evaluators.values() for measure in evaluate.measures]
    there = ", ".join(m for m in measures if m.startswith("val/")) or "nothing"
    asked = [("objectives", one.metric) for one in spec.objectives]
    asked += [("constraints", one.metric) for one in spec.constraints]
    for setting, metric in asked:
        if metric not in measures:
            raise UserError(
                f"study.{setting}: no evaluator measures '{metric}'; there are: {there}."
            )
