"""Measure the trained networks of a reproduction by the suites of its table."""

from collections.abc import Callable, Iterable, Sequence

from omegaconf import OmegaConf

from raystudy.config import override, scopes
from raystudy.config.scaling import Scaling
from raystudy.config.scopes import Scope
from raystudy.evaluation import locate, network, runner, transfers
from raystudy.evaluation.runner import Order
from raystudy.reproduce.arms import Job
from raystudy.search.listed_space import ARM, SEED
from raystudy.study.stored import StoredStudy
from trainables.suite.step import Step

OnStep = Callable[[Order, Step], bool]


def orders_of(study: StoredStudy, job: Job) -> list[Order]:
    """Return what is measured of the runs that ended well: each by each suite of its cells."""
    found = []
    for trial in study.trials:
        if trial.summary.state != "complete":
            continue
        for suite, data in _suites(job, str(trial.params[ARM])):
            kept = scopes.select(study.manifest.overrides, [Scope.IMAGES, Scope.DEVICE])
            own = [*([f"data={data}"] if data else []), *job.tier.suite, *kept]
            origin = locate.find(
                f"{study.id}/{trial.summary.number}", [*own, f"output_dir={study.folder.home}"]
            )
            overrides = tuple(text for text in own if _fits(text, suite, origin))
            order = Order(
                origin=origin, suite=suite, overrides=overrides, output_dir=study.folder.home
            )
            found.append(order)
    return found


def _suites(job: Job, arm: str) -> Iterable[tuple[str, str | None]]:
    """Return the suites of an arm's cells, and the data if other than those it was trained on."""
    cells = [cell for cell, name in job.cells if name == arm and not cell.column.measure]
    other = override.named(job.tier.suite, "data")
    pairs = [(c.suite, None if other else c.column.measured_on) for c in cells if c.suite]
    return dict.fromkeys(pairs)


def _fits(text: str, suite: str, origin: locate.Origin) -> bool:
    """Return whether a tier's override is of a protocol that the suite has."""
    parts = text.lstrip("~+").partition("=")[0].split(".")
    if parts[:2] != ["suite", "protocols"]:
        return True
    settings = origin.settings([f"+suite={suite}"])
    return OmegaConf.select(settings, ".".join(parts[:3])) is not None


def measure_all(
    orders: Sequence[Order], on_step: OnStep, scaling: Scaling, *, in_process: bool
) -> bool:
    """Measure what is left; False if interrupted, with everything kept on disk."""
    if not orders:
        return True
    if in_process:
        network.use_threads(orders[0].settings())
        for order in orders:
            if runner.measure(order, lambda step, own=order: on_step(own, step)) is None:  # type: ignore[misc]
                return False
    else:
        from raystudy.on_ray.evaluations import measure_on_ray

        if measure_on_ray(orders, runner.measure, on_step, scaling) is None:
            return False
    return all(_transferred(group, on_step) for group in _by_seed(orders))


def _by_seed(orders: Sequence[Order]) -> list[list[Order]]:
    """Return the networks of each seed that are shown each other's images."""
    groups: dict[tuple[str, str], list[Order]] = {}
    for order in orders:
        seed = next(t for t in reversed(order.origin.overrides) if t.startswith(f"{SEED}="))
        groups.setdefault((order.suite, seed), []).append(order)
    return [group for group in groups.values() if transfers.asked_for(group)]


def _transferred(group: Sequence[Order], on_step: OnStep) -> bool:
    return transfers.measure(group, lambda step: on_step(group[0], step)) is not None
