"""The best trial, or the front, beside the published recipe."""

from collections.abc import Sequence
from itertools import pairwise

from raystudy.report import confirmed, looks
from raystudy.report.plot import Plot, Spot
from raystudy.report.scales import Linear
from raystudy.report.section import Cell, Section, Table, counted, measured, number, slug
from raystudy.spec import Objective
from raystudy.stored import StoredStudy
from raystudy.study import RECIPE
from raystudy.trackers.base import TrialSummary

ONE_SEED = (
    "One seed each, chosen as the best of many on the same validation images: the difference is "
    "too large by selection and may be noise."
)
NO_RACE = "A conclusion needs fresh seeds and the test split: 'raystudy confirm {study}'."
RACE = "What is left of it on fresh seeds and test images is in the next section."


def section(study: StoredStudy) -> Section | None:
    """Return what the search found."""
    best = study.best
    if not best:
        return None
    objectives = study.spec.objectives
    recipe = recipe_of(study)
    several = len(objectives) > 1
    figures = {}
    if several:
        figures = {
            f"front-{slug(one.metric)}-{slug(other.metric)}": front(study, one, other)
            for i, one in enumerate(objectives)
            for other in objectives[i + 1 :]
        }
    words = (
        f"{counted(len(best), 'complete trial')} that no other complete trial beats in every "
        "objective; trials that were stopped early are left out, their values being of another "
        "epoch. What is dominated is pale."
        if several
        else "The complete trial with the best last value of the objective, beside the published "
        "recipe; trials that were stopped early are left out, their values being of another epoch."
    )
    return Section(
        title="Pareto front" if several else "Best trial",
        words=words,
        figures=figures,
        tables=_tables(study, best, recipe),
        warning=f"{_of_constraints(study, best)}{ONE_SEED} {_race_words(study)}",
        source="Values at the last epoch, as in the table of all trials.",
    )


def _race_words(study: StoredStudy) -> str:
    return NO_RACE.format(study=study.id) if confirmed.read(study.folder.path) is None else RACE


def _of_constraints(study: StoredStudy, best: Sequence[TrialSummary]) -> str:
    """Return what a reader must know of the constraints; empty without any."""
    if not study.spec.constraints:
        return ""
    bounds = " and ".join(map(str, study.spec.constraints))
    if best[0].violation > 0:
        return f"No complete trial keeps to {bounds}; shown is what exceeds it least. "
    complete = [s for s in study.ended if s.state == "complete"]
    beyond = sum(s.violation > 0 for s in complete)
    recipe = recipe_of(study)
    fails = " The published recipe is one of them." if recipe and recipe.violation > 0 else ""
    return (
        f"{beyond} of {len(complete)} complete trials do not keep to {bounds} and are left "
        f"out.{fails} "
    )


def headline(study: StoredStudy) -> str:
    """Return the result in a sentence."""
    best, recipe = study.best, recipe_of(study)
    if not best:
        return "No trial has completed."
    objectives = study.spec.objectives
    if len(objectives) > 1:
        return (
            f"The front has {counted(len(best), 'trial')}: "
            + ", ".join(f"{o.metric} {_span(best, o)}" for o in objectives)
            + "."
        )
    metric = objectives[0].metric
    said = f"Best is trial {best[0].number} with {metric} {measured(best[0].last[metric])}"
    if recipe is None:
        return f"{said}; the published recipe (trial 0) did not complete."
    if best[0].number == RECIPE:
        return f"{said}, which is the published recipe itself."
    gain = measured(best[0].last[metric] - recipe.last[metric], sign=True)
    return f"{said}; the published recipe (trial 0) has {measured(recipe.last[metric])} ({gain})."


def recipe_of(study: StoredStudy) -> TrialSummary | None:
    """Return trial 0 if it completed."""
    ended = [s for s in study.ended if s.number == RECIPE and s.state == "complete"]
    return ended[0] if ended else None


def _span(best: Sequence[TrialSummary], objective: Objective) -> str:
    values = [one.last[objective.metric] for one in best]
    return f"{measured(min(values))} to {measured(max(values))}"


def _tables(
    study: StoredStudy, best: Sequence[TrialSummary], recipe: TrialSummary | None
) -> list[Table]:
    if len(study.spec.objectives) > 1:
        return [_of_front(study, best, recipe)]
    found = best[0]
    told = [name for name in found.metrics if name.startswith("val/")]
    rows: list[list[Cell]] = []
    for name in sorted(told, key=lambda name: name not in found.last):
        before = None if recipe is None else recipe.metrics.get(name)
        gain = None if before is None else found.metrics[name] - before
        rows.append([name, before, found.metrics[name], gain])
    return [
        Table(
            header=["measure", "recipe (trial 0)", f"best (trial {found.number})", "difference"],
            rows=rows,
            strong=frozenset({0}),
        )
    ]


def _of_front(
    study: StoredStudy, best: Sequence[TrialSummary], recipe: TrialSummary | None
) -> Table:
    space, _ = study.composed
    first = study.spec.objectives[0]
    ordered = sorted(best, key=lambda s: s.last[first.metric])
    beside = [] if recipe is None or recipe in ordered else [recipe]
    rows: list[list[Cell]] = []
    for summary in [*beside, *ordered]:
        params = study.trial(summary.number).params
        name = f"{summary.number} (recipe)" if summary.number == RECIPE else str(summary.number)
        values = [summary.last[o.metric] for o in study.spec.objectives]
        rows.append([name, *values, *(params.get(path) for path in space.distributions)])
    metrics = [o.metric for o in study.spec.objectives]
    return Table(header=["trial", *metrics, *space.distributions], rows=rows)


def front(study: StoredStudy, one: Objective, other: Objective) -> str:
    """Return two objectives of the complete trials, the front joined."""
    complete = [s for s in study.ended if s.state == "complete"]
    best = sorted(study.best, key=lambda s: s.last[one.metric])
    plot = Plot(
        Linear.around(s.last[one.metric] for s in complete),
        Linear.around(s.last[other.metric] for s in complete),
        x_label=f"{one.metric} ({one.direction})",
        y_label=f"{other.metric} ({other.direction})",
        height=380,
    )
    kept = {s.number for s in best}
    others = [s for s in complete if s.number not in kept]
    infeasible = [_spot(s, one, other) for s in others if s.violation > best[0].violation]
    dominated = [_spot(s, one, other) for s in others if s.violation <= best[0].violation]
    plot.marks(infeasible, looks.STATES["infeasible"])
    plot.marks(dominated, looks.DOMINATED)
    if len(study.spec.objectives) == 2:  # of more, a pair's best are not the whole front
        edge = attained([(s.last[one.metric], s.last[other.metric]) for s in best], one)
        plot.line(edge, looks.BLUE, width=1.0)
    plot.marks([_spot(s, one, other) for s in best], looks.STATES["complete"])
    recipe = recipe_of(study)
    if recipe is not None:
        plot.marks([_spot(recipe, one, other)], looks.RECIPE)
        plot.key("published recipe (trial 0)", looks.RECIPE)
    for summary in best if len(best) <= 15 else ():
        x, y = summary.last[one.metric], summary.last[other.metric]
        plot.words(x, y, number(summary.number), fill=looks.INK)
    plot.key("on the front", looks.STATES["complete"])
    plot.key("dominated", looks.DOMINATED)
    if infeasible:
        plot.key("beyond a constraint", looks.STATES["infeasible"])
    return plot.svg(f"{one.metric} against {other.metric}, {len(best)} trials on the front")


def attained(points: Sequence[tuple[float, float]], first: Objective) -> list[tuple[float, float]]:
    """Return the border of what the front's points, in order of the first objective, dominate."""
    corners = list(points[:1])
    for (x, y), (next_x, next_y) in pairwise(points):
        corners.append((x, next_y) if first.direction == "maximize" else (next_x, y))
        corners.append((next_x, next_y))
    return corners


def _spot(summary: TrialSummary, one: Objective, other: Objective) -> Spot:
    x, y = summary.last[one.metric], summary.last[other.metric]
    return Spot(x, y, f"trial {summary.number}: {measured(x)}, {measured(y)}")
