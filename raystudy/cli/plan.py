"""``raystudy plan``: how long a sweep will take, for people and for programs."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from raystudy import terminal
from raystudy.config import compose
from raystudy.config.budget import WORDS
from raystudy.config.output_dir import folder_of
from raystudy.config.scaling import read_scaling
from raystudy.config.spec import StudySpec
from raystudy.errors import EXIT_DONE
from raystudy.interface import plan_table
from raystudy.search.rungs import of_scheduler
from raystudy.search.search_space import SearchSpace
from raystudy.search.trial_scheduler import read_trial_scheduler
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.study.info import StudyInfo
from raystudy.study.plan import calibration, check, forecast
from raystudy.study.plan.calibration import Calibration
from raystudy.study.plan.forecast import Forecast, Span
from raystudy.terminal import duration, size
from raystudy.trial.info import TrialInfo
from trainables.rehearsal import Rehearsal

SHOWN = 4  # of the first trials
BUSY = 1.3  # times as slow as an idle machine


def plan(name: str, overrides: Sequence[str], search_path: Sequence[str], *, as_json: bool) -> int:
    """Print what a sweep would run and how long it would take, after timing a few steps."""
    space, composed = SearchSpace.load(name, overrides, search_path)
    settings = composed.config
    checked = check.check_plan(settings)
    data = str(settings.data.name)
    manifest = Manifest(kind="sweep", name=name, search_path=tuple(search_path), data=data)
    folder = StudyFolder(folder_of(settings) / "studies" / name)
    info = StudyInfo.of(folder, space, StudySpec.read(settings.study), manifest, resumed=False)
    console = terminal.console()
    if not as_json:
        plan_table.show(console, settings, space, checked, None)
        console.print("timing a few steps of the first trials ...", style="dim")
    first = calibration.first_trials(space, info, settings)
    measured = calibration.calibrate(settings, info, first)
    estimate = forecast.foresee(space, info, settings, measured)
    if as_json:
        terminal.print_json(plain(settings, space, checked, measured, estimate, first))
    else:
        show(console, settings, measured, estimate, first)
    return EXIT_DONE


def show(
    console: Console,
    settings: DictConfig,
    measured: Calibration,
    estimate: Forecast,
    first: Sequence[TrialInfo],
) -> None:
    """Print hours, passes, disk and the first trials, and how the numbers were obtained."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in _rows(settings, measured, estimate):
        table.add_row(name, Text(words))
    for trial in first[:SHOWN]:
        drawn = (f"{path.rpartition('.')[2]}={_short(v)}" for path, v in trial.params.items())
        table.add_row(f"trial {trial.number}", Text("  ".join(drawn)))
    console.print(table)
    known = len(measured.rehearsals)
    others = f" and {known - 1} more of the first trials" if known > 1 else " alone"
    console.print(
        f"measured on the recipe{others}, one at a time; which trials are stopped early is "
        f"simulated",
        style="dim",
    )
    if measured.slowness > BUSY:
        console.print(
            f"note: the machine is busy with other processes; everything takes "
            f"{measured.slowness:.1f} times as long as on an idle one"
        )


def plain(
    settings: DictConfig,
    space: SearchSpace,
    checked: check.Findings,
    measured: Calibration,
    estimate: Forecast,
    first: Sequence[TrialInfo],
) -> dict[str, Any]:
    """Return all that `plan` prints, as plain values."""
    spec = StudySpec.read(settings.study)
    return {
        "study": spec.name,
        "data": settings.data.name,
        "images": checked.images,
        "parameters": checked.parameters,
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
        "notes": [*space.notes, *checked.notes],
        "at_a_time": measured.at_a_time,
        "slowness": measured.slowness,
        "checkpoint_bytes": measured.sizes.checkpoint,
        "weights_bytes": measured.sizes.weights,
        "plain_step_s": measured.plain_step_s,
        "measured": [dataclasses.asdict(one) for one in measured.rehearsals],
        "forecast": dataclasses.asdict(estimate),
        "first_trials": [dict(trial.params) for trial in first],
    }


def _rows(
    settings: DictConfig, measured: Calibration, estimate: Forecast
) -> Iterator[tuple[str, str]]:
    spec, recipe = StudySpec.read(settings.study), measured.rehearsals[0]
    epochs, workers = settings.max_epochs, read_scaling(settings).num_workers
    evaluations = -(-epochs // settings.evaluate_every)
    each = [
        one.compile_s + one.seconds(epochs, evaluations) / workers for one in measured.rehearsals
    ]
    yield (
        "measured",
        f"{recipe.step_s:.3g} s a step, {recipe.steps} steps and {recipe.preparation_s:.2g} s of "
        f"preparation an epoch, {recipe.evaluation_s:.2g} s an evaluation",
    )
    if recipe.speed:
        delivered, asked = recipe.speed.values()
        yield (
            "images",
            f"read while they are trained on: {delivered:,.0f} a second arrive here and training "
            f"would take {asked:,.0f}; more cores (scaling.cpus_per_worker) read more",
        )
    others = f"; the others {_range(each[1:])}" if len(each) > 1 else ""
    yield "a trial", f"the recipe {duration(each[0])} for {_epochs(epochs)}{others}"
    if measured.plain_step_s is not None:
        yield "compiled", _compiled(recipe, measured.plain_step_s, epochs)
    yield "trials", _trials(spec, settings, estimate)
    if measured.at_a_time is None:
        at_a_time = "if run one at a time; the cluster decides how many run in parallel"
    else:
        at_a_time = f"{measured.at_a_time} at a time"
    yield "time", f"about {_span(estimate.seconds, duration)}, {at_a_time}"
    yield (
        "passes",
        f"about {_span(estimate.passes, _rounded)} images forward and backward through encoders",
    )
    for name in spec.budget.limits:
        if name not in ("passes", "wall_hours"):
            yield name.replace("_", " "), f"about {_span(getattr(estimate, name), _rounded)}"
    yield "disk", f"about {_span(estimate.disk, size)}"


def _compiled(recipe: Rehearsal, plain_step_s: float, epochs: int) -> str:
    """Return whether it pays to compile the encoders: seconds once, for less in each step."""
    steps, saved = epochs * (recipe.steps - 1), plain_step_s - recipe.step_s
    text = f"a step takes {recipe.step_s:.2g} s, without compiling {plain_step_s:.2g} s"
    if saved <= 0:
        return f"{text}: it does not pay here, trainer.compile=false is faster"
    text += f"; {duration(recipe.compile_s)} of compiling pay after {recipe.compile_s / saved:,.0f}"
    text += f" steps, a trial has {steps:,}"
    return text if recipe.compile_s < steps * saved else f"{text}: trainer.compile=false is faster"


def _trials(spec: StudySpec, settings: DictConfig, estimate: Forecast) -> str:
    started, complete = estimate.trials, estimate.complete
    if estimate.ends_by:
        limit = f"{spec.budget.limits[estimate.ends_by]:.4g} {WORDS[estimate.ends_by]}"
        text = f"the budget of {limit} ends it after about {_span(started, _whole)} of "
        text += f"{spec.num_trials} trials"
    else:
        text = f"all {started.mean:.0f} are run"
    rungs = of_scheduler(settings)
    at = f" at epoch {', '.join(map(str, rungs))}" if rungs else ""
    if started.mean - complete.mean < 0.5:
        return f"{text}, each to its last epoch"
    return f"{text}, about {_span(complete, _whole)} to the last epoch; others are stopped{at}"


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def _span(span: Span, write: Callable[[float], str]) -> str:
    mean, low, high = write(span.mean), write(span.low), write(span.high)
    return mean if low == high else f"{mean} ({low} to {high})"


def _range(seconds: Sequence[float]) -> str:
    low, high = duration(min(seconds)), duration(max(seconds))
    return low if low == high else f"{low} to {high}"


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _rounded(value: float) -> str:
    return f"{value:.3g}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
