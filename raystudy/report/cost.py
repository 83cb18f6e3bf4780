"""The study's cost."""

import math
from collections.abc import Sequence

from raystudy.report.drawing import marks
from raystudy.report.drawing.plot import Plot, Spot
from raystudy.report.drawing.scales import Linear, Log, Scale
from raystudy.report.history import explain
from raystudy.report.section import Cell, Section, Table, duration, measured, slug
from raystudy.study import comparability as measured_how
from raystudy.study.stored import StoredStudy, StoredTrial
from raystudy.trial.figures import FIGURES

DRAWN = ("cost/flops", "cost/images", "cost/updates", "seconds")  # the first that was counted
UNITS = {
    "seconds": "seconds",
    "cost/updates": "optimizer updates",
    "cost/images": "images",
    "cost/flops": "floating-point operations",
    "cost/forward_passes": "images forward",
    "cost/backward_passes": "images backward",
}


def section(study: StoredStudy) -> Section | None:
    """Return totals by state, and the objective against cost."""
    trials = study.trials
    if not any(trial.summary.epoch for trial in trials):
        return None
    kinds = measures(trials)
    total = math.fsum(trial.summary.seconds for trial in trials)
    kind = next(name for name in DRAWN if name in kinds)
    return Section(
        title="Cost",
        words=f"All trials together took {duration(total)}, parallel ones added up; "
        "the counts are of training, including every view and attack step, without "
        "evaluation. The figure shows each trial's result against its cost. What the machine did "
        "is of each trial's own process and GPU, evaluation included; it differs from machine to "
        "machine.",
        figures={
            f"cost-{slug(o.metric)}": draw(trials, kind, o.metric) for o in study.spec.objectives
        },
        tables=[totals(trials, kinds), *of_machine(trials)],
        measured=measured_how.stamp(study),
        source="Columns of cost in the table of all trials, summed.",
    )


def measures(trials: Sequence[StoredTrial]) -> list[str]:
    """Return what was counted, seconds first."""
    names = dict.fromkeys(
        name
        for trial in trials
        for name in trial.summary.metrics
        if name.startswith("cost/") and name not in FIGURES
    )
    return ["seconds", *names]


def spent(trial: StoredTrial, kind: str) -> float:
    """Return a trial's cost; 0 before its first report."""
    summary = trial.summary
    return summary.seconds if kind == "seconds" else summary.metrics.get(kind, 0.0)


def totals(trials: Sequence[StoredTrial], kinds: Sequence[str]) -> Table:
    """Return sums by state, and over all."""
    rows: list[list[Cell]] = []
    for state in reversed(marks.STATES.keys()):
        own = [trial for trial in trials if marks.kind(trial.summary) == state]
        if own:
            rows.append([state, len(own), *sums(own, kinds)])
    rows.append(["all", len(trials), *sums(trials, kinds)])
    rows.append(["per trial", None, *(v / len(trials) for v in sums(trials, kinds))])
    header = ["state", "trials", *(UNITS.get(kind, kind) for kind in kinds)]
    return Table(header=header, rows=rows, strong=frozenset({len(rows) - 2}))


def of_machine(trials: Sequence[StoredTrial]) -> list[Table]:
    """Return what the machine did, a row for each figure; no table where nothing was noted."""
    rows: list[list[Cell]] = []
    for name, figure in FIGURES.items():
        values = [t.summary.metrics[name] for t in trials if name in t.summary.metrics]
        if values:
            total = math.fsum(values) if figure.adds_up else None
            mean = math.fsum(values) / len(values)
            rows.append([figure.words, len(values), min(values), mean, max(values), total])
    header = ["the machine", "trials", "least", "mean", "most", "all"]
    return [Table(header=header, rows=rows)] if rows else []


def sums(trials: Sequence[StoredTrial], kinds: Sequence[str]) -> list[float]:
    """Return the trials' total cost of each kind."""
    return [math.fsum(v for t in trials if math.isfinite(v := spent(t, kind))) for kind in kinds]


def draw(trials: Sequence[StoredTrial], kind: str, metric: str) -> str:
    """Return each trial's value against its cost."""
    shown = [t for t in trials if metric in t.summary.last and spent(t, kind) > 0]
    plot = Plot(
        scale([spent(t, kind) for t in shown]),
        Linear.around(t.summary.last[metric] for t in shown),
        x_label=f"{UNITS.get(kind, kind)} of the trial",
        y_label=metric,
        height=240,
    )
    for state, look in marks.STATES.items():
        spots = [_spot(t, kind, metric) for t in shown if marks.kind(t.summary) == state]
        plot.marks(spots, look)
    explain(plot, shown)
    return plot.svg(f"{metric} against {kind} of {len(shown)} trials")


def scale(values: Sequence[float]) -> Scale:
    """Return a logarithmic scale where costs differ tenfold, else one from zero."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    return Log(low / 1.1, high * 1.1) if high > 10 * low else Linear(0, 1.05 * high)


def _spot(trial: StoredTrial, kind: str, metric: str) -> Spot:
    value = trial.summary.last[metric]
    return Spot(spent(trial, kind), value, f"trial {trial.summary.number}: {measured(value)}")
