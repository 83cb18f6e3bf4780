"""What a sweep is going to do, checked before anything starts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from raystudy import axes, provenance, samplers, warm_start
from raystudy.errors import UserError
from raystudy.on_ray.scaling import Scaling
from raystudy.report import rungs
from raystudy.search_space import SearchSpace
from raystudy.spec import StudySpec
from raystudy.study_folder import StudyFolder
from raystudy.trackers.redaction import redact
from raystudy.trackers.store import store_uri
from raystudy.trial_scheduler import TrialScheduler

if TYPE_CHECKING:  # torch takes its time
    from trainables.data.image_set import Splits
    from trainables.evaluate.base import Evaluator


@dataclass(frozen=True)
class Findings:
    """What trying out the published recipe told.

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


def check(config: DictConfig) -> Findings:
    """Load the data and build the published recipe once, on the CPU, training nothing.

    Raises
    ------
    UserError
        For whatever a trial would have refused.
    """
    from raystudy import value_types
    from raystudy.trial import build_evaluators, build_trainer, load_splits
    from trainables.data.splitting import missing_classes
    from trainables.evaluate.base import images_of

    value_types.check(config)
    _refuse_other_device(config.device, read_scaling(config))
    store_uri(config.tracker.uri, config.output_dir)
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
    images = (
        f"{len(splits.train):,} train, {len(splits.val):,} val, {len(splits.test):,} test; "
        f"{splits.num_classes} classes, {channels}x{height}x{width}"
    )
    return Findings(
        images=images,
        parameters=sum(p.numel() for p in trainer.method.parameters() if p.requires_grad),
        splits=splits,
        notes=tuple(missing_classes(splits)),
        measured_on=images_of(evaluators.values(), splits),
    )


def _refuse_few(evaluators: Mapping[str, "Evaluator"], splits: "Splits") -> None:
    """Refuse to measure on so few images that all are of one class."""
    from trainables.data.splitting import is_one_class

    for name, evaluate in evaluators.items():
        most = getattr(evaluate, "max_images", None)
        judges = any(measure.startswith("val/") for measure in evaluate.measures)
        if judges and most and is_one_class(splits.val.labels[:most]):
            raise UserError(
                f"evaluate.{name}.max_images={most}: the first validation images are all of one "
                f"class, with which nothing can be told apart; raise it."
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


def read_scaling(config: DictConfig) -> Scaling:
    """Return the `scaling:` section, checked."""
    section: dict[str, Any] = OmegaConf.to_container(config.scaling, resolve=True)  # type: ignore[assignment]
    return Scaling(**section)


def read_trial_scheduler(config: DictConfig, spec: StudySpec) -> TrialScheduler:
    """Return what the `trial_scheduler:` section stands for in this study, checked."""
    section: dict[str, Any] = OmegaConf.to_container(config.trial_scheduler, resolve=True)  # type: ignore[assignment]
    return TrialScheduler(section, spec)


def show(
    console: Console,
    config: DictConfig,
    space: SearchSpace,
    findings: Findings,
    folder: StudyFolder | None,
) -> None:
    """Print the plan: method, data, objectives, space, trials, resources, places."""
    spec = StudySpec.read(config.study)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    method = _class_name(config.method)
    table.add_row("study", folder.id if folder else "none started (this is the plan only)")
    table.add_row(
        "method", f"{method}, {findings.parameters:,} parameters, {config.max_epochs} epochs"
    )
    table.add_row("data", f"{config.data.name}: {findings.images}")
    table.add_row("objective", ", ".join(f"{o.direction} {o.metric}" for o in spec.objectives))
    if spec.constraints:
        table.add_row("subject to", ", ".join(map(str, spec.constraints)))
    table.add_row(
        "trials", f"{spec.num_trials}; {_search_words(config, spec)}; trial 0 is the recipe"
    )
    if space.points:
        table.add_row("points", f"{len(space.points)} given by hand, after trial 0")
    if spec.warm_start:
        table.add_row("warm start", _warm_start(config, space, spec))
    if spec.budget.words:
        table.add_row("budget", f"{spec.budget.words}; no trial is begun once it is spent, and")
        table.add_row("", "those that run go on to their end: at most a trial each too much")
    table.add_row("each trial", read_scaling(config).words)
    if folder is not None:
        table.add_row("results", str(folder.path))
    uri = store_uri(config.tracker.uri, config.output_dir)
    table.add_row("MLflow", redact(uri) if config.tracker.enabled else "not told (tracker=none)")
    console.print(table)
    console.print(_axes(space))
    for note in (*space.notes, *findings.notes, *_notes(config, spec, space)):
        console.print(f"note: {note}")


def _warm_start(config: DictConfig, space: SearchSpace, spec: StudySpec) -> str:
    try:
        return warm_start.gather(space, config, spec).words
    except UserError as error:  # said once more when the study is opened
        return str(error)


def _notes(config: DictConfig, spec: StudySpec, space: SearchSpace) -> Iterator[str]:
    """Yield what the choices for this study cannot do, or leave undone."""
    scaling = read_scaling(config)
    if not (scaling.use_gpu or scaling.address) and (gpus := provenance.gpus()):
        yield f"trials run on CPUs; scaling.use_gpu=true has them use {gpus}."
    if spec.constraints and samplers.is_blind(config.sampler):
        yield (
            f"{_class_name(config.sampler)} draws without a look at study.constraints; they only "
            f"decide which trial is the best."
        )
    if spec.constraints and _class_name(config.trial_scheduler) == "MedianPruner":
        yield "MedianPruner stops trials by the objective alone, whatever the constraints."
    latest = {path: axes.largest(axis) for path, axis in space.distributions.items()}
    if blind := rungs.blind(config, [latest], rungs.of_scheduler(config)):
        yield blind


def _axes(space: SearchSpace) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("search")
    table.add_column("range")
    table.add_column("trial 0", justify="right")
    for path, words in space.axes.items():
        value = space.published.get(path)
        table.add_row(path, words, f"{value:.4g}" if isinstance(value, float) else str(value))
    return table


def _search_words(config: DictConfig, spec: StudySpec) -> str:
    scheduler = read_trial_scheduler(config, spec).name
    return f"{_class_name(config.sampler)}, {scheduler}, seed {spec.seed}"


def _class_name(node: DictConfig) -> str:
    return str(node._target_).rsplit(".", 1)[-1]
