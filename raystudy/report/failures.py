"""Why trials failed, and what they had in common."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from raystudy.report.section import Cell, Section, Table, counted, number
from raystudy.study.stored import StoredStudy, StoredTrial

SHOWN = 20  # trials with the end of their logs
LINES, LETTERS = 3, 300  # of these
TOGETHER = 3  # failures that make a region
CHANCE = 0.05  # of a region where there is none, over all axes together
LONG_LOG = 20_000  # bytes from its end
CAUSES: Mapping[str, str] = {  # the first whose pattern is in the reason
    "out of memory": r"(?i)out of ?memory|cannot allocate|unable to allocate|MemoryError",
    "lost worker": r"(?i)process died|worker|node (died|lost)|actor.*(died|unavailable)",
    "not measured": r"was never reported",
    "disk": r"(?i)no space left|disk quota|read-only file system",
    "data": r"(?i)FileNotFoundError|corrupt|download",
    "device": r"(?i)CUDA|NCCL|cudnn",
}


def section(study: StoredStudy) -> Section | None:
    """Return the failure ledger."""
    lost = [t for t in study.trials if t.summary.state in ("diverged", "collapsed", "failed")]
    if not lost:
        return None
    by_cause: dict[str, list[StoredTrial]] = defaultdict(list)
    for trial in lost:
        by_cause[cause(trial)].append(trial)
    rows: list[list[Cell]] = [
        [name, len(trials), _numbers(trials), region(trials, study.trials)]
        for name, trials in sorted(by_cause.items(), key=lambda item: -len(item[1]))
    ]
    shown = lost[:SHOWN]
    more = f", the first {SHOWN} of {len(lost)}" if len(lost) > SHOWN else ""
    return Section(
        title="Failures by cause",
        words=f"{counted(len(lost), 'trial')} of {len(study.trials)} failed. A region "
        "is the range of one axis that holds all failures of a cause, if it is so narrow that it "
        f"is below {CHANCE:g} probable by chance.",
        tables=[
            Table(header=["cause", "trials", "which", "region"], rows=rows),
            Table(
                header=["trial", "state", "epoch", "reason", "last words"],
                rows=[_row(study, trial) for trial in shown],
                caption=f"Each trial's last words{more}",
                folded=len(shown) > 5,
            ),
        ],
        source="State and reason in the study's journal; error.txt or log.txt in the trial's "
        "folder.",
    )


def cause(trial: StoredTrial) -> str:
    """Return the class of a trial's failure."""
    summary = trial.summary
    if summary.state != "failed":
        return {"diverged": "not finite", "collapsed": "collapsed"}[summary.state]
    for name, pattern in CAUSES.items():
        if re.search(pattern, summary.reason):
            return name
    return "code" if re.match(r"\w+(Error|Exception|Warning)\b", summary.reason) else "other"


def region(failures: Sequence[StoredTrial], trials: Sequence[StoredTrial]) -> str:
    """Return the axis on which failures are closest together, if that separates them."""
    if len(failures) < TOGETHER:
        return ""
    axes = list(failures[0].params)
    best, least = "", CHANCE / len(axes) if axes else 0.0
    for path in axes:
        own = [trial.params[path] for trial in failures if path in trial.params]
        values = [trial.params[path] for trial in trials if path in trial.params]
        if len(own) < len(failures):
            continue
        inside, words = _range(own, values)
        chance = _chance_of_range(inside / len(values), len(own))
        if chance < least:
            best, least = f"{path} {words}, as {inside} of {len(trials)} trials", chance
    return best


def _chance_of_range(share: float, count: int) -> float:
    """Return how often `count` uniform places in [0, 1] are within `share` of each other."""
    return float(count * share ** (count - 1) - (count - 1) * share**count)


def _range(own: Sequence[Any], values: Sequence[Any]) -> tuple[int, str]:
    """Return how many values are in the range of `own`, and that range in words."""
    if any(isinstance(v, (str, bool)) or v is None for v in values):
        words = " or ".join(sorted({number(v) for v in own}))
        return sum(any(v == o for o in own) for v in values), words
    low, high = min(own), max(own)
    return sum(low <= v <= high for v in values), f"{number(low)} to {number(high)}"


def last_words(text: str) -> str:
    """Return the end of a log, a few lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = " / ".join(lines[-LINES:])
    return said if len(said) <= LETTERS else "…" + said[-LETTERS:]


def _row(study: StoredStudy, trial: StoredTrial) -> list[Any]:
    summary = trial.summary
    folder = study.trial_folder(summary.number)
    there = [path for path in (folder.error, folder.log) if path.is_file()]
    text = ""
    if there:
        with there[0].open("rb") as file:
            file.seek(max(0, there[0].stat().st_size - LONG_LOG))
            text = file.read().decode(errors="replace")
    reason = summary.reason[:LETTERS]
    return [summary.number, summary.state, summary.epoch, reason, last_words(text)]


def _numbers(trials: Sequence[StoredTrial]) -> str:
    numbers = [str(trial.summary.number) for trial in trials]
    return ", ".join(numbers if len(numbers) <= SHOWN else [*numbers[:SHOWN], "…"])
