"""One axis of the search at a time."""

import math
from collections.abc import Sequence
from typing import Any

from raystudy.config.spec import RECIPE
from raystudy.report.drawing import marks
from raystudy.report.drawing.plot import Plot, Spot
from raystudy.report.drawing.scales import Choices, Linear, Scale, of_axis
from raystudy.report.section import Section, measured, number, slug
from raystudy.study import comparability as measured_how
from raystudy.study.stored import StoredStudy, StoredTrial

MARKS = 15_000  # of all pictures together; of more trials every second, third, ... is drawn
BEYOND = 1.0  # times the complete trials' range is shown on either side of it
DRAWN = ("pruned", "diverged", "collapsed", "complete")
JITTER = 0.5  # of a category's share, over which its marks are jittered


def section(study: StoredStudy) -> Section | None:
    """Return a small picture for each axis and objective."""
    space, _ = study.composed
    panels = len(space.distributions) * len(study.spec.objectives)
    plotted, left_out = thinned(
        [t for t in study.trials if t.summary.last and t.summary.state in DRAWN], panels, MARKS
    )
    if not space.distributions or not plotted:
        return None
    figures = {
        f"slice-{slug(path)}-{slug(objective.metric)}": draw(
            plotted, path, of_axis(axis), objective.metric
        )
        for objective in study.spec.objectives
        for path, axis in space.distributions.items()
    }
    return Section(
        title="Slices",
        words="Each axis of the search against the objective, all other axes left to vary: "
        "complete trials dark, stopped ones small and pale at the value they were stopped at, "
        "the published recipe as a diamond. Values far from the complete trials are drawn on "
        f"the edge.{left_out}",
        figures=figures,
        measured=measured_how.stamp(study),
        source="Columns of the setting and of the objective in the table of all trials.",
        small=True,
    )


def draw(trials: Sequence[StoredTrial], path: str, scale: Scale, metric: str) -> str:
    """Return the picture of an axis."""
    plot = Plot(
        _Jittered(scale) if isinstance(scale, Choices) else scale,
        _focus(trials, metric),
        x_label=path,
        y_label=metric,
        width=330,
        height=210,
    )
    own = [t for t in trials if path in t.params and metric in t.summary.last]
    for state in (*DRAWN[:-1], "infeasible", "complete"):
        spots = [_spot(t, path, metric, scale) for t in own if marks.kind(t.summary) == state]
        plot.marks(spots, marks.STATES[state])
    recipe = [_spot(t, path, metric, scale) for t in own if t.summary.number == RECIPE]
    plot.marks(recipe, marks.RECIPE)
    return plot.svg(f"{metric} against {path}, {len(own)} trials")


def _focus(trials: Sequence[StoredTrial], metric: str) -> Linear:
    """Return the scale on which complete trials can be distinguished."""
    plotted = [t for t in trials if metric in t.summary.last]
    values = [v for t in plotted if math.isfinite(v := t.summary.last[metric])]
    complete = [t.summary.last[metric] for t in plotted if t.summary.state == "complete"]
    if len(complete) < 3:
        return Linear.around(values)
    reach = BEYOND * (max(complete) - min(complete))
    return Linear.around(
        [max(min(values), min(complete) - reach), min(max(values), max(complete) + reach)]
    )


def thinned(trials: Sequence[StoredTrial], size: int, room: int) -> tuple[list[StoredTrial], str]:
    """Return trials to draw where each takes `size` of `room`, and a sentence on the others.

    They are chosen evenly, the first among them.
    """
    step = max(1, -(-len(trials) * size // room))
    kept = list(trials[::step])
    return kept, f" Of {len(trials)} trials every {step}th is drawn." if step > 1 else ""


def _spot(trial: StoredTrial, path: str, metric: str, scale: Scale) -> Spot:
    value, last = trial.params[path], trial.summary.last[metric]
    words = f"trial {trial.summary.number}: {number(value)}, {measured(last)}"
    if not isinstance(scale, Choices):
        return Spot(value, last, words)
    # By the golden ratio numbers that follow each other are far apart, and always the same.
    shift = (trial.summary.number * 0.618034) % 1 - 0.5
    return Spot(scale.place(value) + JITTER * shift / len(scale.values), last, words)


class _Jittered:
    """The scale of a categorical axis, with jittered places."""

    def __init__(self, scale: Choices) -> None:
        self._scale = scale

    def place(self, value: Any) -> float:
        return float(value)

    def ticks(self) -> list[tuple[float, str]]:
        return self._scale.ticks()
