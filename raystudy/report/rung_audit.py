"""Whether ranks at the trial scheduler's rungs predict the final ranks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from raystudy.config.spec import Objective
from raystudy.report import control
from raystudy.report.drawing import marks
from raystudy.report.drawing.plot import Plot, Spot
from raystudy.report.drawing.scales import Linear
from raystudy.report.section import Section, Table, slug
from raystudy.search.rungs import blind, of_scheduler
from raystudy.search.trial_scheduler import TrialScheduler
from raystudy.study.stored import StoredStudy, StoredTrial

FEWEST = 3  # complete trials of which ranks say anything
SHOWN = 30  # epochs
Z95 = 1.959964


@dataclass(frozen=True)
class Agreement:
    """How the ranks at an epoch agree with the final ones.

    Parameters
    ----------
    epoch : int
    trials : int
        Complete ones with a value at that epoch.
    tau : float
        Kendall's tau-b: 1 the same order, 0 no relation, -1 the reverse; NaN if all are equal.
    low, high : float
        95 % interval of tau; NaN below 5 trials.
    rank_of_best : int
        Of the finally best trial at that epoch, from 1.
    """

    epoch: int
    trials: int
    tau: float
    low: float
    high: float
    rank_of_best: int


def section(study: StoredStudy) -> Section | None:
    """Return rank agreement at every measured epoch, the rungs in a table."""
    _, settings = study.composed
    complete = [t for t in study.trials if t.summary.state == "complete"]
    at = of_scheduler(settings)
    audits = {o.metric: audit(complete, o, at) for o in study.spec.objectives}
    audits = {metric: found for metric, found in audits.items() if found}
    if not audits:
        return None
    name = scheduler_name(study)
    stops = "no trial scheduler stopped trials here, so this says whether one could"
    if at:
        stops = f"{name} compares trials at epoch {', '.join(map(str, at))}"
    return Section(
        title="Rung audit",
        words="Does the ranking at an before epoch predict the final one? Kendall's tau "
        f"between the objective at each epoch and at the last, over complete trials; {stops}.",
        facts=control.facts(study.trials, study.spec.objectives),
        figures={
            f"rungs-{slug(metric)}": draw(found, at, metric) for metric, found in audits.items()
        },
        tables=[_table(found, at, metric) for metric, found in audits.items()],
        warning=blind(settings, [trial.params for trial in study.trials], at),
        source="Values of complete trials by epoch, in the study's journal; interval by Fisher's z "
        "with variance 0.437 / (n - 4) (Fieller, Hartley & Pearson 1957). Stopped trials have no "
        "final value, so tau is over survivors and control (trial_scheduler.control) only and too "
        "small rather than too large.",
    )


def audit(
    complete: Sequence[StoredTrial], objective: Objective, at: Sequence[int] = ()
) -> list[Agreement]:
    """Return the agreement at epochs before the last that enough trials measured.

    At the epochs `at`, and at others as far as there are not too many.
    """
    metric = objective.metric
    epochs = sorted({epoch for t in complete for epoch, m in t.curve.items() if metric in m})
    found = []
    before = epochs[:-1]
    for epoch in sorted({*before[:: len(before) // SHOWN + 1], *(e for e in at if e in before)}):
        pairs = [
            (t.curve[epoch][metric], t.summary.last[metric])
            for t in complete
            if metric in t.curve.get(epoch, {}) and t.summary.epoch > epoch
        ]
        if len(pairs) >= FEWEST:
            found.append(_agreement(epoch, pairs, objective))
    return found


def _agreement(epoch: int, pairs: Sequence[tuple[float, float]], objective: Objective) -> Agreement:
    from scipy.stats import kendalltau

    tau = float(kendalltau([now for now, _ in pairs], [final for _, final in pairs]).statistic)
    best_now, best = pairs[0]
    for now, final in pairs:
        if objective.is_better(final, than=best):
            best_now, best = now, final
    ahead = sum(objective.is_better(now, than=best_now) for now, _ in pairs)
    return Agreement(epoch, len(pairs), tau, *_interval(tau, len(pairs)), 1 + ahead)


def _interval(tau: float, count: int) -> tuple[float, float]:
    if math.isnan(tau) or count < 5:
        return math.nan, math.nan
    if abs(tau) > 1 - 1e-12:
        return tau, tau
    reach = Z95 * math.sqrt(0.437 / (count - 4))
    return math.tanh(math.atanh(tau) - reach), math.tanh(math.atanh(tau) + reach)


def scheduler_name(study: StoredStudy) -> str:
    """Return what compares trials: with several objectives not what the settings name."""
    _, settings = study.composed
    recipe: dict[str, Any] = OmegaConf.to_container(settings.trial_scheduler, resolve=True)  # type: ignore[assignment]
    return TrialScheduler(recipe, study.spec).name


def draw(found: Sequence[Agreement], at: Sequence[int], metric: str) -> str:
    """Return tau by epoch, with its interval."""
    last = max([*(one.epoch for one in found), *at])
    ends = [value for one in found for value in (one.tau, one.low)]
    plot = Plot(
        Linear(0, 1.03 * last, whole=True),
        Linear(min([0.0, *(v for v in ends if not math.isnan(v))]) - 0.05, 1.05),
        x_label="epoch",
        y_label=f"Kendall's tau of {metric}",
        height=240,
    )
    plot.level(0.0, "no relation", marks.FAINT)
    for rung in at:
        plot.upright(rung, f"rung {rung}")
    for one in found:
        if not math.isnan(one.low):
            plot.line([(one.epoch, one.low), (one.epoch, one.high)], marks.PALE, width=2.0)
    spots = [Spot(one.epoch, one.tau, f"epoch {one.epoch}: {one.tau:.3f}") for one in found]
    plot.line([(s.x, s.y) for s in spots if not math.isnan(s.y)], marks.BLUE)
    plot.marks(spots, marks.STATES["complete"])
    return plot.svg(f"rank agreement of {metric} with its final order, by epoch")


def _table(found: Sequence[Agreement], at: Sequence[int], metric: str) -> Table:
    shown = [one for one in found if one.epoch in at] or found
    return Table(
        header=["epoch", "trials", "tau", "low", "high", "rank of the final best"],
        rows=[
            [
                one.epoch,
                one.trials,
                *(None if math.isnan(v) else v for v in (one.tau, one.low, one.high)),
                f"{one.rank_of_best} of {one.trials}",
            ]
            for one in shown
        ],
        caption=metric if any(one.epoch in at for one in found) else f"{metric}, every epoch",
    )
