"""The best trial, or the front, beside the published recipe."""

from collections.abc import Sequence

from raystudy.config.spec import RECIPE, Objective
from raystudy.report import front
from raystudy.report.section import Cell, Section, Table, counted, measured, slug
from raystudy.study import comparability as how_measured
from raystudy.study import confirmed, uncertainty
from raystudy.study.stored import StoredStudy
from raystudy.study.uncertainty import Uncertainty
from raystudy.trial.info import TrialSummary

ONE_SEED = (
    "One seed each, chosen as the best of many on the same validation images: the difference is "
    "too large by selection and may be noise."
)
RECIPE_WON = "No trial beat the published recipe, on one seed each and on validation images."
NO_RACE = "A conclusion needs fresh seeds and the test split: '{confirm}'."
NO_COUNT = "No intervals: on how many images the objectives were measured was not recorded."
RACE = "What is left of it on fresh seeds and test images is in the next section."


def section(study: StoredStudy) -> Section | None:
    """Return what the search found."""
    best = study.best
    if not best:
        return None
    objectives = study.spec.objectives
    recipe = recipe_of(study)
    several = len(objectives) > 1
    doubt = uncertainty.of(study.ended, objectives, study.manifest.measured_on)
    figures = {
        f"front-{slug(one.metric)}-{slug(other.metric)}": front.draw(
            study, one, other, recipe, doubt
        )
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
        words=f"{words} {front.how_sure(doubt) if doubt else NO_COUNT}",
        facts=_facts(best, doubt) | _floor(study),
        figures=figures,
        tables=front.tables(study, recipe, doubt)
        if several
        else [_beside(study, best[0], recipe, doubt)],
        measured=how_measured.words(study),
        warning=f"{_of_constraints(study, best)}{_luck(best)} {_race_words(study)}",
        source="Values at the last epoch, as in the table of all trials.",
    )


def _luck(best: Sequence[TrialSummary]) -> str:
    return RECIPE_WON if [one.number for one in best] == [RECIPE] else ONE_SEED


def _race_words(study: StoredStudy) -> str:
    confirm = study.folder.command("confirm")
    return RACE if confirmed.read(study.folder.path) else NO_RACE.format(confirm=confirm)


def _of_constraints(study: StoredStudy, best: Sequence[TrialSummary]) -> str:
    """Return what a reader must know of the constraints; empty without any."""
    if not study.spec.constraints:
        return ""
    bounds = _bounds(study)
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


def _bounds(study: StoredStudy) -> str:
    return " and ".join(map(str, study.spec.constraints))


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
    beyond = recipe.violation > best[0].violation
    bounds = f", but does not keep to {_bounds(study)}" if beyond else ""
    theirs = measured(recipe.last[metric])
    return f"{said}; the published recipe (trial 0) has {theirs} ({gain}){bounds}."


def recipe_of(study: StoredStudy) -> TrialSummary | None:
    """Return trial 0 if it completed."""
    ended = [s for s in study.ended if s.number == RECIPE and s.state == "complete"]
    return ended[0] if ended else None


def _span(best: Sequence[TrialSummary], objective: Objective) -> str:
    values = [one.last[objective.metric] for one in best]
    return f"{measured(min(values))} to {measured(max(values))}"


def _facts(best: Sequence[TrialSummary], doubt: Uncertainty | None) -> dict[str, str]:
    """Return how sure the result as a whole is."""
    if doubt is None:
        return {}
    if len(doubt.images) == 1:
        chance = doubt.chances[best[0].number]
        return {"chance": f"{chance:.0%} that trial {best[0].number} is truly the best of these"}
    area = doubt.hypervolume
    if area is None:
        return {}
    return {"hypervolume": uncertainty.area_words(area)}


def _floor(study: StoredStudy) -> dict[str, str]:
    """Return from where on single runs differ, if fresh seeds have told."""
    told = {o.metric: _noise(study, o.metric) for o in study.spec.objectives}
    known = [f"{metric} {floor:.4f}" for metric, floor in told.items() if floor is not None]
    what = "single runs differ by more than the luck of their seeds from here on: "
    return {"noise floor": what + ", ".join(known)} if known else {}


def _noise(study: StoredStudy, metric: str) -> float | None:
    return confirmed.floor_of_one_run(study.folder.path, metric)


def _beside(
    study: StoredStudy, found: TrialSummary, recipe: TrialSummary | None, doubt: Uncertainty | None
) -> Table:
    """Return the best trial beside the recipe, measure by measure."""
    told = [name for name in found.metrics if name.startswith("val/")]
    interval, faint = ["95% interval"] if doubt else [], set[int]()
    rows: list[list[Cell]] = []
    for name in sorted(told, key=lambda name: name not in found.last):
        before = None if recipe is None else recipe.metrics.get(name)
        gain = None if before is None else found.metrics[name] - before
        theirs = front.interval(doubt, recipe, name) if recipe else ["" for _ in interval]
        ours = front.interval(doubt, found, name)
        rows.append([name, before, *theirs, found.metrics[name], *ours, gain])
        floor = _noise(study, name)
        if gain is not None and floor is not None and abs(gain) < floor:
            faint.add(len(rows) - 1)
    header = ["measure", "recipe (trial 0)", *interval, f"best (trial {found.number})", *interval]
    return Table(
        header=[*header, "difference"],
        rows=rows,
        strong=frozenset({0} - faint),
        faint=frozenset(faint),
    )
