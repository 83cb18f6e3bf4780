"""Measure the trained networks of a reproduction by the suites and tasks of its table."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from raystudy.config import compose, override, scopes
from raystudy.config.scaling import Scaling
from raystudy.config.scopes import Scope
from raystudy.evaluation import downstream, locate, network, runner, transfers
from raystudy.evaluation.downstream import DownstreamOrder
from raystudy.evaluation.locate import FOREIGN
from raystudy.evaluation.runner import Order
from raystudy.reproduce.arms import Job
from raystudy.search.listed_space import ARM, SEED
from raystudy.study.stored import StoredStudy
from raystudy.trial.build import build_downstream, load_annotated, load_splits
from trainables.suite.step import Step

OnStep = Callable[[Order, Step], bool]


def orders_of(study: StoredStudy, job: Job) -> list[Order]:
    """Return what is measured of the runs that ended well: each by each suite of its cells."""
    found: list[Order] = []
    for trial in study.trials:
        if trial.summary.state != "complete":
            continue
        for kind, name, data in _measures(job, str(trial.params[ARM])):
            home = f"output_dir={study.folder.home}"
            own = [*([f"data={data}"] if data else []), *job.tier.suite, home]
            origin = locate.find(f"{study.id}/{trial.summary.number}", own)
            manifest = study.manifest
            own += _kept(manifest.overrides, origin.settings(), data, manifest.search_path)
            overrides = tuple(text for text in own if _fits(text, kind, name, origin))
            order = kind(
                origin=origin, suite=name, overrides=overrides, output_dir=study.folder.home
            )
            found.append(order)
    return found


def _measures(job: Job, arm: str) -> Iterable[tuple[type[Order], str, str | None]]:
    """Return an arm's suites and downstream tasks, and the data if not those of its training."""
    cells = [cell for cell, name in job.cells if name == arm and not cell.column.measure]
    other = override.named(job.tier.suite, "data")
    found: list[tuple[type[Order], str, str | None]] = []
    for cell in cells:
        data = None if other else cell.column.measured_on
        if cell.column.score and cell.protocol:
            found.append((DownstreamOrder, cell.protocol, data))
        elif cell.suite:
            found.append((Order, cell.suite, data))
    return dict.fromkeys(found)


def _kept(
    overrides: Sequence[str], trained: DictConfig, data: str | None, search_path: Sequence[str]
) -> list[str]:
    """Return what measuring takes over from a study: device, and where the images are.

    Other data are where their own YAML says, unless both are read by one loader from one folder.
    """
    asked = [Scope.DEVICE, Scope.IMAGES]
    if data is not None:
        other = compose.load_shared([f"data={data}"], search_path)
        targets = [str(one.data.splits._target_) for one in (trained, other)]
        if len({target.rpartition(".")[0] for target in targets}) > 1:
            asked = [Scope.DEVICE]
    return scopes.select(overrides, asked)


def refuse_missing(job: Job, overrides: Sequence[str], search_path: Sequence[str]) -> None:
    """Read what networks will be measured on, other than what they are trained on.

    Raises
    ------
    UserError
        If it is not there: before the training, which may take days.
    """
    home = scopes.select(overrides, [Scope.RESULTS])
    seen = set()
    for name, arm in job.arms.items():
        for kind, measure, data in _measures(job, name):
            if data is None or (kind, measure, data) in seen:
                continue
            seen.add((kind, measure, data))
            trained = compose.load(arm.study, [*arm.overrides, *overrides], search_path)
            own = [*job.tier.suite, *_kept(overrides, trained, data, search_path)]
            places = scopes.without(own, [Scope.SUITE, Scope.DEVICE])
            chosen = [f"data={data}", *home, *places, "device=cpu"]
            if kind is DownstreamOrder:
                settings = compose.load(FOREIGN, [f"+protocol={measure}", *chosen], search_path)
                load_annotated(settings, build_downstream(settings, measure).task)
            else:
                load_splits(compose.load(FOREIGN, chosen, search_path))


def _fits(text: str, kind: type[Order], name: str, origin: locate.Origin) -> bool:
    """Return whether a tier's override is of a suite that is measured, and of its protocols."""
    parts = text.lstrip("~+").partition("=")[0].split(".")
    if kind is DownstreamOrder:
        return parts[0] != "suite"
    if parts[:2] != ["suite", "protocols"]:
        return True
    settings = origin.settings([f"+suite={name}"])
    return OmegaConf.select(settings, ".".join(parts[:3])) is not None


def measure_all(
    orders: Sequence[Order], on_step: OnStep, scaling: Scaling, *, in_process: bool
) -> bool:
    """Measure what is left; False if interrupted, with everything kept on disk."""
    tasks = [order for order in orders if isinstance(order, DownstreamOrder)]
    by_suite = [order for order in orders if not isinstance(order, DownstreamOrder)]
    for some in (by_suite, tasks):
        if some and not _measured(some, on_step, scaling, in_process=in_process):
            return False
    return all(_transferred(group, on_step) for group in _by_seed(by_suite))


def _measured(
    orders: Sequence[Order], on_step: OnStep, scaling: Scaling, *, in_process: bool
) -> bool:
    """Measure networks by suites, or by downstream tasks."""
    is_task = isinstance(orders[0], DownstreamOrder)
    measure: Any = downstream.measure if is_task else runner.measure
    if in_process:
        network.use_threads(orders[0].settings())
        return all(
            measure(order, lambda step, own=order: on_step(own, step)) is not None
            for order in orders
        )
    from raystudy.on_ray.evaluations import measure_on_ray

    # The ranks of a downstream task keep what they share in the results folder.
    storage = orders[0].output_dir if is_task and scaling.num_workers > 1 else None
    return measure_on_ray(orders, measure, on_step, scaling, storage=storage) is not None


def _by_seed(orders: Sequence[Order]) -> list[list[Order]]:
    """Return the networks of each seed that are shown each other's images."""
    groups: dict[tuple[str, str], list[Order]] = {}
    for order in orders:
        seed = next(t for t in reversed(order.origin.overrides) if t.startswith(f"{SEED}="))
        groups.setdefault((order.suite, seed), []).append(order)
    return [group for group in groups.values() if transfers.asked_for(group)]


def _transferred(group: Sequence[Order], on_step: OnStep) -> bool:
    return transfers.measure(group, lambda step: on_step(group[0], step)) is not None
