"""The table of all trials, from which every figure can be drawn again."""

from collections.abc import Sequence

from raystudy.report.drawing import marks
from raystudy.report.section import Cell, Section, Table
from raystudy.study import comparability as measured_how
from raystudy.study.stored import StoredStudy, StoredTrial

CELLS = 24_000  # about 350 kB
OPEN = 60  # rows that are shown unasked


def section(study: StoredStudy) -> Section:
    """Return one row per trial, with its host where there was more than one."""
    trials = study.trials
    columns = _columns(study, len(trials))
    waiting = study.waiting.trials if study.waiting else ()
    rows = [
        _row(trial, columns, waits=trial.summary.number in waiting)
        for trial in trials[: CELLS // (len(columns) + 5)]
    ]
    hosts = [study.trial_folder(trial.summary.number).hosts for trial in trials]
    several = len({name for words in hosts for name in words.split(", ") if name}) > 1
    if several:
        rows = [[*row, host] for row, host in zip(rows, hosts, strict=False)]
    best = {summary.number for summary in study.best}
    left_out = len(trials) - len(rows)
    export = study.folder.command("export", "--format", "csv")
    caption = f"{left_out} later trials are left out; '{export}' has all." if left_out else ""
    return Section(
        title="All trials",
        words="Measures are of each trial's last epoch; the best are in bold.",
        tables=[
            Table(
                header=["trial", "state", "epochs", "seconds", *columns, *["host"] * several],
                rows=rows,
                caption=caption,
                strong=frozenset(i for i, row in enumerate(rows) if row[0] in best),
                folded=len(rows) > OPEN,
            )
        ],
        measured=measured_how.stamp(study),
        source=f"'{export}' writes all digits of all measures.",
    )


def _columns(study: StoredStudy, num_trials: int) -> list[str]:
    """Return settings and measures, those that matter least left out where the page would burst."""
    space, _ = study.composed
    objectives = [objective.metric for objective in study.spec.objectives]
    names = dict.fromkeys(name for t in study.trials for name in t.summary.metrics)
    others = [name for name in names if name.startswith("val/") and name not in objectives]
    costs = [name for name in names if name.startswith("cost/")]
    room = max(CELLS // max(num_trials, 1) - 4, len(objectives) + len(space.distributions))
    kept = [*objectives, *space.distributions, *costs, *others][:room]
    return [c for c in (*objectives, *others, *space.distributions, *costs) if c in kept]


def _row(trial: StoredTrial, columns: Sequence[str], *, waits: bool) -> list[Cell]:
    summary = trial.summary
    state = "waiting" if waits else marks.kind(summary)
    values = [trial.params.get(c, summary.metrics.get(c)) for c in columns]
    return [summary.number, state, summary.epoch, summary.seconds, *values]
