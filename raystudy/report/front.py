"""Figure and tables of the Pareto front, each trial with its intervals."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from raystudy.config.spec import RECIPE, Objective
from raystudy.report.drawing import marks
from raystudy.report.drawing.plot import Plot, Spot
from raystudy.report.drawing.scales import Linear
from raystudy.report.section import Cell, Table, measured, number
from raystudy.study.stored import StoredStudy
from raystudy.study.uncertainty import DRAWS, FEWER_DRAWS, Uncertainty
from raystudy.trial.info import TrialSummary

NAMED = 15  # trials of a front that are named and have bars
EXPLANATION = (
    "Intervals are exact 95% confidence intervals over {images}: image sampling only, no seeds. "
    "The probability of {what} is estimated from {draws} independent draws of each accuracy's "
    "posterior (Jeffreys' Beta, seed 0); as all trials share the images, it is conservative: "
    "closer to even than it needs to be."
)


def explanation(uncertainty: Uncertainty) -> str:
    """Return how intervals and probabilities are computed."""
    counts = sorted(set(uncertainty.images.values()))
    draws = DRAWS if len(uncertainty.images) < 3 else FEWER_DRAWS
    what = "being on the true front" if len(uncertainty.images) > 1 else "being the best"
    images = f"{' and '.join(map(str, counts))} images"
    return EXPLANATION.format(images=images, draws=draws, what=what)


def draw(
    study: StoredStudy,
    one: Objective,
    other: Objective,
    recipe: TrialSummary | None,
    uncertainty: Uncertainty | None,
) -> str:
    """Return two objectives of the complete trials, the front joined."""
    complete = [s for s in study.ended if s.state == "complete"]
    best = sorted(study.best, key=lambda s: s.last[one.metric])
    named = best if len(best) <= NAMED else []
    barred = [*named, *([recipe] if recipe and recipe not in named else [])]
    bars = [*_bars(barred, one, other, uncertainty)] if uncertainty else []
    plot = Plot(
        Linear.around([*(s.last[one.metric] for s in complete), *(x for b in bars for x, _ in b)]),
        Linear.around(
            [*(s.last[other.metric] for s in complete), *(y for b in bars for _, y in b)]
        ),
        x_label=f"{one.metric} ({one.direction})",
        y_label=f"{other.metric} ({other.direction})",
        height=380,
    )
    plot.lines([(bar, "") for bar in bars], marks.SKY, width=1.0, opacity=0.6)
    kept = {s.number for s in best}
    others = [s for s in complete if s.number not in kept]
    infeasible = [_spot(s, one, other) for s in others if s.violation > best[0].violation]
    dominated = [_spot(s, one, other) for s in others if s.violation <= best[0].violation]
    plot.marks(infeasible, marks.STATES["infeasible"])
    plot.marks(dominated, marks.DOMINATED)
    if len(study.spec.objectives) == 2:  # of more, a pair's best are not the whole front
        edge = attained([(s.last[one.metric], s.last[other.metric]) for s in best], one)
        plot.line(edge, marks.BLUE, width=1.0)
    plot.marks([_spot(s, one, other) for s in best], marks.STATES["complete"])
    if recipe is not None:
        plot.marks([_spot(recipe, one, other)], marks.RECIPE)
        plot.key("published recipe (trial 0)", marks.RECIPE)
    for summary in named:
        x, y = summary.last[one.metric], summary.last[other.metric]
        plot.words(x, y, number(summary.number), fill=marks.INK)
    plot.key("on the front", marks.STATES["complete"])
    plot.key("dominated", marks.DOMINATED)
    if infeasible:
        plot.key("violates a constraint", marks.STATES["infeasible"])
    if bars:
        plot.key("95% interval over images", line=marks.SKY)
    return plot.svg(f"{one.metric} against {other.metric}, {len(best)} trials on the front")


def _bars(
    trials: Iterable[TrialSummary], one: Objective, other: Objective, uncertainty: Uncertainty
) -> Iterable[list[tuple[float, float]]]:
    """Yield each trial's intervals as a line along and a line up."""
    for trial in trials:
        along, up = (uncertainty.intervals[trial.number][o.metric] for o in (one, other))
        yield [(along.low, up.value), (along.high, up.value)]
        yield [(along.value, up.low), (along.value, up.high)]


def attained(points: Sequence[tuple[float, float]], first: Objective) -> list[tuple[float, float]]:
    """Return the border of the region that the front's points, in order of the first objective,
    dominate.
    """
    corners = list(points[:1])
    for (x, y), (next_x, next_y) in pairwise(points):
        corners.append((x, next_y) if first.direction == "maximize" else (next_x, y))
        corners.append((next_x, next_y))
    return corners


def _spot(summary: TrialSummary, one: Objective, other: Objective) -> Spot:
    x, y = summary.last[one.metric], summary.last[other.metric]
    return Spot(x, y, f"trial {summary.number}: {measured(x)}, {measured(y)}")


def tables(
    study: StoredStudy, recipe: TrialSummary | None, uncertainty: Uncertainty | None
) -> list[Table]:
    """Return the measures of the recipe and of the front's trials, and their settings."""
    metrics = [objective.metric for objective in study.spec.objectives]
    ordered = sorted(study.best, key=lambda s: s.last[metrics[0]])
    shown = [*([] if recipe is None or recipe in ordered else [recipe]), *ordered]
    rows: list[list[Cell]] = []
    for summary in shown:
        row: list[Cell] = [_name(summary)]
        for metric in metrics:
            row += [summary.last[metric], *interval(uncertainty, summary, metric)]
        if uncertainty:
            row.append(uncertainty.chances.get(summary.number))
        rows.append(row)
    header = ["trial"]
    for metric in metrics:
        header += [metric, "95% interval"] if uncertainty else [metric]
    values = Table(header=[*header, "probability"] if uncertainty else header, rows=rows)
    return [values, *_settings(study, shown)]


def _settings(study: StoredStudy, shown: Sequence[TrialSummary]) -> list[Table]:
    space, _ = study.composed
    rows: list[list[Cell]] = [
        [_name(one), *map(study.trial(one.number).params.get, space.distributions)] for one in shown
    ]
    header = ["trial", *space.distributions]
    return [Table(header=header, rows=rows, caption="Their settings")] if len(header) > 1 else []


def _name(summary: TrialSummary) -> str:
    return f"{summary.number} (recipe)" if summary.number == RECIPE else str(summary.number)


def interval(uncertainty: Uncertainty | None, summary: TrialSummary, metric: str) -> list[Cell]:
    """Return a measure's interval as a cell; none where it is unknown."""
    if uncertainty is None:
        return []
    found = uncertainty.intervals.get(summary.number, {}).get(metric)
    return [f"{found.low:.3f} to {found.high:.3f}" if found else ""]
