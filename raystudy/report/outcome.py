"""The best trial, or the front, compared with the published recipe."""

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
    "One seed each, and the best of many on the same validation images: selection bias makes the "
    "difference too large, and it may be noise."
)
RECIPE_WON = "No trial beat the published recipe, on one seed each and on validation images."
NO_RACE = "A conclusion needs fresh seeds and the test split: '{confirm}'."
NO_COUNT = "No intervals: on how many images the objectives were measured was not recorded."
RACE = "The next section has its difference on fresh seeds and test images."


def section(study: StoredStudy) -> Section | None:
    """Return what the search found."""
    best = study.best
    if not best:
        return None
    objectives = study.spec.objectives
    recipe = recipe_of(study)
    several = len(objectives) > 1
    estimate = uncertainty.estimate(study.ended, objectives, study.manifest.measured_on)
    figures = {
        f"front-{slug(one.metric)}-{slug(other.metric)}": front.draw(
            study, one, other, recipe, estimate
        )
        for i, one in enumerate(objectives)
        for other in objectives[i + 1 :]
    }
    words = (
        f"{counted(len(best), 'complete trial')} that no other complete trial beats in every "
        "objective; trials that were stopped early are left out, as their values are of another "
        "epoch. Dominated trials are pale."
        if several
        else "The complete trial with the best last value of the objective, and the published "
        "recipe; trials that were stopped early are left out, as their values are of another epoch."
    )
    return Section(
        title="Pareto front" if several else "Best trial",
        words=f"{words} {front.explanation(estimate) if estimate else NO_COUNT}",
        facts=_facts(best, estimate) | _floor(study),
        figures=figures,
        tables=front.tables(study, recipe, estimate)
        if several
        else [_beside(study, best[0], recipe, estimate)],
        measured=how_measured.words(study),
        warning=f"{_of_constraints(study, best)}{_selection(best)} {_race_words(study)}",
        source="Values at the last epoch, as in the table of all trials.",
    )


def _selection(best: Sequence[TrialSummary]) -> str:
    return RECIPE_WON if [one.number for one in best] == [RECIPE] else ONE_SEED


def _race_words(study: StoredStudy) -> str:
    confirm = study.folder.command("confirm")
    return RACE if confirmed.read_race(study.folder.path) else NO_RACE.format(confirm=confirm)


def _of_constraints(study: StoredStudy, best: Sequence[TrialSummary]) -> str:
    """Return which trials violate the constraints; empty without any."""
    if not study.spec.constraints:
        return ""
    bounds = _bounds(study)
    if best[0].violation > 0:
        return f"No complete trial satisfies {bounds}; the one that violates it least is shown. "
    complete = [s for s in study.ended if s.state == "complete"]
    beyond = sum(s.violation > 0 for s in complete)
    recipe = recipe_of(study)
    fails = " The published recipe is one of them." if recipe and recipe.violation > 0 else ""
    return f"{beyond} of {len(complete)} complete trials violate {bounds} and are left out.{fails} "


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
    bounds = f", but violates {_bounds(study)}" if beyond else ""
    theirs = measured(recipe.last[metric])
    return f"{said}; the published recipe (trial 0) has {theirs} ({gain}){bounds}."


def recipe_of(study: StoredStudy) -> TrialSummary | None:
    """Return trial 0 if it completed."""
    ended = [s for s in study.ended if s.number == RECIPE and s.state == "complete"]
    return ended[0] if ended else None


def _span(best: Sequence[TrialSummary], objective: Objective) -> str:
    values = [one.last[objective.metric] for one in best]
    return f"{measured(min(values))} to {measured(max(values))}"


def _facts(best: Sequence[TrialSummary], estimate: Uncertainty | None) -> dict[str, str]:
    """Return how certain the result as a whole is."""
    if estimate is None:
        return {}
    if len(estimate.images) == 1:
        chance = estimate.chances[best[0].number]
        return {
            "probability": f"{chance:.0%} that trial {best[0].number} is the best complete trial"
        }
    area = estimate.hypervolume
    if area is None:
        return {}
    return {"hypervolume": uncertainty.area_words(area)}


def _floor(study: StoredStudy) -> dict[str, str]:
    """Return the noise floor of single runs, if fresh seeds have been run."""
    floors = {o.metric: _noise(study, o.metric) for o in study.spec.objectives}
    known = [f"{metric} {floor:.4f}" for metric, floor in floors.items() if floor is not None]
    what = "smaller differences of single runs are within seed-to-seed noise: "
    return {"noise floor": what + ", ".join(known)} if known else {}


def _noise(study: StoredStudy, metric: str) -> float | None:
    return confirmed.floor_of_one_run(study.folder.path, metric)


def _beside(
    study: StoredStudy,
    found: TrialSummary,
    recipe: TrialSummary | None,
    estimate: Uncertainty | None,
) -> Table:
    """Return the best trial and the recipe, measure by measure."""
    names = [name for name in found.metrics if name.startswith("val/")]
    interval, faint = ["95% interval"] if estimate else [], set[int]()
    rows: list[list[Cell]] = []
    for name in sorted(names, key=lambda name: name not in found.last):
        before = None if recipe is None else recipe.metrics.get(name)
        gain = None if before is None else found.metrics[name] - before
        theirs = front.interval(estimate, recipe, name) if recipe else ["" for _ in interval]
        ours = front.interval(estimate, found, name)
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
