"""The plan of a sweep, as a table."""

from collections.abc import Iterator

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from raystudy.config.scaling import read_scaling
from raystudy.config.spec import StudySpec
from raystudy.errors import UserError
from raystudy.search import axes, rungs, samplers
from raystudy.search.search_space import SearchSpace
from raystudy.search.trial_scheduler import read_trial_scheduler
from raystudy.storage import provenance
from raystudy.storage.folders import StudyFolder
from raystudy.study import warm_start
from raystudy.study.open_tracker import open_tracker
from raystudy.study.plan.check import Findings


def show(
    console: Console,
    config: DictConfig,
    space: SearchSpace,
    checked: Findings,
    folder: StudyFolder | None,
) -> None:
    """Print the plan: method, data, objectives, space, trials, resources, places."""
    spec = StudySpec.read(config.study)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    method = _class_name(config.method)
    table.add_row("study", folder.id if folder else "not started (plan only)")
    table.add_row(
        "method", f"{method}, {checked.parameters:,} parameters, {config.max_epochs} epochs"
    )
    table.add_row("data", f"{config.data.name}: {checked.images}")
    table.add_row("objective", ", ".join(f"{o.direction} {o.metric}" for o in spec.objectives))
    if spec.constraints:
        table.add_row("subject to", ", ".join(map(str, spec.constraints)))
    table.add_row(
        "trials", f"{spec.num_trials}; {_algorithms(config, spec)}; trial 0 is the recipe"
    )
    if space.points:
        table.add_row("points", f"{len(space.points)} set by study.points, after trial 0")
    if spec.warm_start:
        table.add_row("warm start", _warm_start(config, space, spec))
    if spec.budget.words:
        table.add_row("budget", f"{spec.budget.words}; once it is spent no trial is launched, and")
        table.add_row("", "running ones finish, so each may exceed it by at most one trial")
    table.add_row("each trial", read_scaling(config).words)
    if folder is not None:
        table.add_row("results", str(folder.path))
    table.add_row("tracker", open_tracker(config).place or "none (tracker=none)")
    console.print(table)
    console.print(_axes(space))
    for note in (*space.notes, *checked.notes, *_notes(config, spec, space)):
        console.print(f"note: {note}")


def _warm_start(config: DictConfig, space: SearchSpace, spec: StudySpec) -> str:
    try:
        return warm_start.gather(space, config, spec).words
    except UserError as error:  # raised again when the study is opened
        return str(error)


def _notes(config: DictConfig, spec: StudySpec, space: SearchSpace) -> Iterator[str]:
    """Yield limitations of the chosen settings."""
    scaling = read_scaling(config)
    if not (scaling.use_gpu or scaling.address) and (gpus := provenance.gpus()):
        yield f"trials run on CPUs; with scaling.use_gpu=true they use {gpus}."
    if spec.constraints and samplers.is_blind(config.sampler):
        yield (
            f"{_class_name(config.sampler)} ignores study.constraints when sampling; they only "
            f"decide which trial is best."
        )
    if spec.constraints and _class_name(config.trial_scheduler) == "MedianPruner":
        yield "MedianPruner stops trials by the objective alone and ignores the constraints."
    latest = {path: axes.largest(axis) for path, axis in space.distributions.items()}
    if blind := rungs.blind(config, [latest], rungs.of_scheduler(config)):
        yield blind


def _axes(space: SearchSpace) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("search")
    table.add_column("range")
    table.add_column("trial 0", justify="right")
    for path, axis in space.axes.items():
        value = space.published.get(path)
        table.add_row(path, axis, f"{value:.4g}" if isinstance(value, float) else str(value))
    return table


def _algorithms(config: DictConfig, spec: StudySpec) -> str:
    scheduler = read_trial_scheduler(config, spec).name
    return f"{_class_name(config.sampler)}, {scheduler}, seed {spec.seed}"


def _class_name(node: DictConfig) -> str:
    return str(node._target_).rsplit(".", 1)[-1]
