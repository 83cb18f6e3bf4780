"""What a confirm prints: its plan before the first run, and its result."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from raystudy import terminal
from raystudy.config import scaling
from raystudy.config.spec import RECIPE
from raystudy.confirm import conclusions, contenders
from raystudy.errors import EXIT_DONE
from raystudy.storage.folders import StudyFolder
from raystudy.study.plan import check
from raystudy.study.stored import StoredStudy
from raystudy.study.uncertainty import area_words
from trainables.evaluate.intervals import Interval


def show_plan(
    console: Console,
    folder: StudyFolder,
    study: StoredStudy,
    settings: DictConfig,
    found: check.Findings,
) -> None:
    """Print the plan of a confirm."""
    manifest = folder.read_manifest()
    runners = contenders.plan_of(manifest)
    budget, most = contenders.limits(manifest.overrides)
    limits = [*([f"{most} runs"] if most else []), *([budget.words] if budget.limits else [])]
    seconds = [study.trial(number).summary.seconds for number in runners.params]
    runs = len(runners.params) * len(runners.seeds)
    finalists = ", ".join(map(str, contenders.race_of(runners).challengers))
    several = "s" if len(contenders.race_of(runners).challengers) > 1 else ""
    of_trials = f"trial{several} {finalists}; and trial {RECIPE}, the published recipe"
    of_test = "read once, at the end, with the weights of the last epoch"
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in (
        ("confirm", f"{folder.id}, of the search {study.id}"),
        ("finalists", of_trials if finalists else f"none: trial {RECIPE}, the recipe, alone"),
        ("seeds", f"{', '.join(map(str, runners.seeds))}: fresh, the same for all"),
        (
            "runs",
            f"at most {runs}, in rounds of one seed; all at full length, "
            f"{_duration(sum(seconds) * len(runners.seeds))} if run one after the other",
        ),
        *([("budget", f"{', '.join(limits)}; no round starts beyond it")] if limits else []),
        ("each run", scaling.read_scaling(settings).words),
        ("data", f"{settings.data.name}: {found.images}"),
        ("chosen by", ", ".join(o.metric for o in study.spec.objectives)),
        ("test split", of_test if finalists else "not read"),
        ("results", str(folder.path)),
    ):
        table.add_row(*row)
    console.print(table)
    for note in found.notes:
        _say(console, f"note: {note}")


def show_result(
    console: Console, folder: StudyFolder, summary: Mapping[str, Any], *, as_json: bool
) -> int:
    """Print the result of a confirm."""
    if as_json:
        terminal.print_json(summary)
        return EXIT_DONE
    _say(console, f"\n{folder.id}: {summary['rounds']} seeds; {summary['ended']}")
    for metric in summary["finalists"][0]["objectives"]:
        console.print(conclusions.table(summary, metric))
    for floor in summary["noise_floors"].values():
        _say(console, conclusions.floor_words(floor))
    if len(summary["finalists"]) > 1:
        _say(
            console,
            "intervals are Student's over seeds, on these test images; tests are paired by seed",
        )
    _say(console, f"test evaluations of {summary['study']} by then: {summary['test_evaluations']}")
    if area := summary.get("hypervolume"):
        words = area_words(Interval(**area), what="seeds")
        _say(console, f"hypervolume on validation images: {words}")
        chances = [(e["label"], e["front_chance"]) for e in summary["finalists"]]
        shown = ", ".join(f"{label} {c:.0%}" for label, c in chances if c is not None)
        _say(console, f"probability of being on the true front: {shown}")
    if "measured" in summary:
        _say(console, f"measured: {summary['measured']}")
    for sentence in summary["conclusion"]:
        _say(console, f"conclusion: {sentence}")
    return EXIT_DONE


def _duration(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _say(console: Console, words: str) -> None:
    console.print(Text(words), soft_wrap=True)
