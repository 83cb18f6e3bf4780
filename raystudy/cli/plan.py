"""``raystudy plan``: what a study will take, for people and for programs."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from raystudy.config import compose
from raystudy.config.budget import WORDS
from raystudy.config.scaling import read_scaling
from raystudy.config.spec import StudySpec
from raystudy.search.rungs import of_scheduler
from raystudy.search.search_space import SearchSpace
from raystudy.search.trial_scheduler import read_trial_scheduler
from raystudy.study.plan.calibration import Calibration
from raystudy.study.plan.check import Findings
from raystudy.study.plan.forecast import Forecast, Span
from raystudy.terminal import duration, size
from raystudy.trial.info import TrialInfo

SHOWN = 4  # of the first trials
BUSY = 1.3  # times as slow as an idle machine


def show(
    console: Console,
    settings: DictConfig,
    calibration: Calibration,
    forecast: Forecast,
    first: Sequence[TrialInfo],
) -> None:
    """Print hours, passes, disk and the first trials, and where the numbers are from."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in _rows(settings, calibration, forecast):
        table.add_row(name, Text(words))
    for trial in first[:SHOWN]:
        drawn = (f"{path.rpartition('.')[2]}={_word(v)}" for path, v in trial.params.items())
        table.add_row(f"trial {trial.number}", Text("  ".join(drawn)))
    console.print(table)
    known = len(calibration.rehearsals)
    others = f" and {known - 1} more of the first trials" if known > 1 else " alone"
    console.print(
        f"measured on the recipe{others}, one at a time; which trials are stopped is played "
        f"through with made-up values",
        style="dim",
    )
    if calibration.slowness > BUSY:
        console.print(
            f"note: the machine is busy with other things, everything takes "
            f"{calibration.slowness:.1f} times as long as it would otherwise"
        )


def as_json(
    settings: DictConfig,
    space: SearchSpace,
    findings: Findings,
    calibration: Calibration,
    forecast: Forecast,
    first: Sequence[TrialInfo],
) -> dict[str, Any]:
    """Return all that `show` prints, and what a plan begins with, as plain values."""
    spec = StudySpec.read(settings.study)
    return {
        "study": spec.name,
        "data": settings.data.name,
        "images": findings.images,
        "parameters": findings.parameters,
        "epochs": settings.max_epochs,
        "objectives": [dataclasses.asdict(objective) for objective in spec.objectives],
        "constraints": [str(constraint) for constraint in spec.constraints],
        "num_trials": spec.num_trials,
        "budget": spec.budget.limits,
        "sampler": str(settings.sampler._target_),
        "trial_scheduler": read_trial_scheduler(settings, spec).name,
        "rungs": of_scheduler(settings),
        "scaling": compose.plain(settings.scaling),
        "search": dict(space.axes),
        "recipe": dict(space.published),
        "notes": [*space.notes, *findings.notes],
        "at_a_time": calibration.at_a_time,
        "slowness": calibration.slowness,
        "checkpoint_bytes": calibration.sizes.checkpoint,
        "weights_bytes": calibration.sizes.weights,
        "measured": [dataclasses.asdict(one) for one in calibration.rehearsals],
        "forecast": dataclasses.asdict(forecast),
        "first_trials": [dict(trial.params) for trial in first],
    }


def _rows(
    settings: DictConfig, calibration: Calibration, forecast: Forecast
) -> Iterator[tuple[str, str]]:
    spec, recipe = StudySpec.read(settings.study), calibration.rehearsals[0]
    epochs, workers = settings.max_epochs, read_scaling(settings).num_workers
    evaluations = -(-epochs // settings.evaluate_every)
    each = [one.seconds(epochs, evaluations) / workers for one in calibration.rehearsals]
    yield (
        "measured",
        f"{recipe.step_s:.3g} s a step, {recipe.steps} steps an epoch, "
        f"{recipe.preparation_s:.2g} s to prepare it, {recipe.evaluation_s:.2g} s to evaluate it",
    )
    others = f"; the others {_range(each[1:])}" if len(each) > 1 else ""
    yield "a trial", f"the recipe {duration(each[0])} for {_epochs(epochs)}{others}"
    yield "trials", _trials(spec, settings, forecast)
    if calibration.at_a_time is None:
        at_a_time = "one after another; the cluster says how many run at a time"
    else:
        at_a_time = f"{calibration.at_a_time} at a time"
    yield "time", f"about {_span(forecast.seconds, duration)}, {at_a_time}"
    yield "passes", f"about {_span(forecast.passes, _rounded)} images through encoders and back"
    for name in spec.budget.limits:
        if name not in ("passes", "wall_hours"):
            yield name.replace("_", " "), f"about {_span(getattr(forecast, name), _rounded)}"
    yield "disk", f"about {_span(forecast.disk, size)}"


def _trials(spec: StudySpec, settings: DictConfig, forecast: Forecast) -> str:
    begun, complete = forecast.trials, forecast.complete
    if forecast.ends_by:
        limit = f"{spec.budget.limits[forecast.ends_by]:.4g} {WORDS[forecast.ends_by]}"
        words = f"the budget of {limit} ends it after about {_span(begun, _whole)} of "
        words += f"{spec.num_trials} trials"
    else:
        words = f"all {begun.mean:.0f} are run"
    rungs = of_scheduler(settings)
    at = f" at epoch {', '.join(map(str, rungs))}" if rungs else ""
    if begun.mean - complete.mean < 0.5:
        return f"{words}, each to its last epoch"
    return f"{words}, about {_span(complete, _whole)} to the last epoch; others are stopped{at}"


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def _span(span: Span, words: Any) -> str:
    mean, low, high = words(span.mean), words(span.low), words(span.high)
    return mean if low == high else f"{mean} ({low} to {high})"


def _range(seconds: Sequence[float]) -> str:
    low, high = duration(min(seconds)), duration(max(seconds))
    return low if low == high else f"{low} to {high}"


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _rounded(value: float) -> str:
    return f"{value:.3g}"


def _word(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
