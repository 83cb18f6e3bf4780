"""What a study shows on a terminal: a live table, or plain lines in a log."""

import socket
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from raystudy.config.spec import Objective
from raystudy.storage.folders import TrialFolder
from raystudy.study.info import StudyInfo
from raystudy.trackers import settings_line
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary

STATE_STYLES = {
    "running": "cyan",
    "complete": "green",
    "pruned": "yellow",
    "diverged": "red",
    "collapsed": "red",
    "failed": "bold red",
}
SHOWN_ROWS = 20
LEAST = 12  # columns, for settings to be shown


@dataclass
class _Row:
    """One trial as the table shows it."""

    number: int
    params: Mapping[str, Any]
    state: str = "running"
    epoch: int = 0
    metrics: Metrics = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    reason: str = ""
    folder: TrialFolder | None = None
    waits: bool = False
    host: str = ""

    def locate(self) -> None:
        """Learn where it runs: at each epoch, for it may have moved."""
        self.host = self.folder.hosts if self.folder else ""

    def elapsed(self) -> float:
        return time.monotonic() - self.started if self.seconds is None else self.seconds


class ConsoleTracker:
    """Show trials as they go.

    Parameters
    ----------
    console : Console
        A live table if it is a terminal, else a line per event without control codes.
    max_epochs : int
    going : str
        What to call trials that have not ended.
    """

    def __init__(self, console: Console, max_epochs: int, *, going: str = "running") -> None:
        self._going = going
        self._console = console
        self._max_epochs = max_epochs
        self._rows: dict[int, _Row] = {}
        self._measures: tuple[str, ...] = ()
        self._objectives: tuple[Objective, ...] = ()
        self._total = 0
        self._live: Live | None = None

    def study_started(self, study: StudyInfo) -> None:
        """Show an empty table, or nothing yet."""
        self.expect(study)
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self.table, console=self._console, refresh_per_second=4
            )
            self._live.start()

    def expect(self, study: StudyInfo) -> None:
        """Learn what there will be to show."""
        self._objectives = study.spec.objectives
        metrics = [objective.metric for objective in self._objectives]
        extra = [m for m in ("val/accuracy", "val/robust_accuracy") if m not in metrics]
        self._measures = (*metrics, *extra)
        self._total = study.spec.num_trials

    def trial_started(self, trial: TrialInfo) -> None:
        """Add a row."""
        folder = TrialFolder(trial.folder)
        self._rows[trial.number] = _Row(trial.number, trial.params, folder=folder)
        if self._live is None:
            again = "continues" if trial.resumed else "starts"
            self._say(f"trial {trial.number:>3}  {again:<9} {settings_line.whole(trial.params)}")

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        """Move a row on."""
        row = self._rows.setdefault(number, _Row(number, {}))
        row.epoch, row.metrics = epoch, {**row.metrics, **metrics}
        row.locate()
        if self._live is None and any(measure in metrics for measure in self._measures):
            self._say(
                f"trial {number:>3}  epoch {epoch:>3}/{self._max_epochs} {self._values(metrics)}"
            )

    def trial_finished(self, trial: TrialSummary) -> None:
        """Close a row."""
        row = self._rows.setdefault(trial.number, _Row(trial.number, {}))
        row.state, row.epoch, row.reason = trial.state, trial.epoch, trial.reason
        row.metrics, row.seconds = {**row.metrics, **trial.metrics}, trial.seconds
        if self._live is None:
            reason = f"  {trial.reason}" if trial.reason else ""
            values = self._values(row.metrics)
            self._say(
                f"trial {trial.number:>3}  {trial.state:<9} {values}  {trial.seconds:.0f} s{reason}"
            )

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        """Leave the last table on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def close(self) -> None:
        """Everything was shown."""

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def _values(self, metrics: Metrics) -> str:
        there = [measure for measure in self._measures if measure in metrics]
        return "  ".join(f"{short(measure)} {metrics[measure]:.4f}" for measure in there)

    def add(
        self,
        trial: TrialSummary,
        params: Mapping[str, Any],
        folder: TrialFolder | None = None,
        *,
        waits: bool = False,
    ) -> None:
        """Take over a trial that another process reported; `waits`: no process runs it yet."""
        row = self._rows[trial.number] = _Row(
            trial.number,
            params,
            trial.state,
            trial.epoch,
            trial.metrics,
            seconds=trial.seconds,
            reason=trial.reason,
            folder=folder,
            waits=waits,
        )
        row.locate()

    def table(self) -> RenderableType:
        """Return all that is known, as it is shown on a terminal."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        shown = self._shown()
        elsewhere = {row.host for row in shown} - {"", socket.gethostname()}
        where = ["host"] if elsewhere else []
        titles = ("trial", "state", *where, "epoch", *map(short, self._measures), "time")
        for title in titles:
            justify: JustifyMethod = "left" if title in ("state", "host") else "right"
            table.add_column(title, justify=justify, no_wrap=True)
        rows = [self._cells(row, [row.host or "-"] if elsewhere else []) for row in shown]
        widths = (max(map(len, column)) for column in zip(titles, *rows, strict=False))
        if self._console.width - sum(width + 2 for width in widths) >= LEAST:
            # It gets what the others, all as wide as they are, leave of the line.
            table.add_column("settings", overflow="ellipsis", no_wrap=True, ratio=1)
            table.expand = self._console.is_terminal
        for cells in rows:
            table.add_row(*cells[: len(table.columns)])
        return Group(table, Text(self._footer(), style="dim"))

    def _shown(self) -> list[_Row]:
        """The running trials and the best of the others, as many as fit on a screen."""
        rows = list(self._rows.values())
        if len(rows) <= SHOWN_ROWS:
            return rows
        running = [row for row in rows if row.state == "running"]
        ended = [row for row in rows if row.state != "running"]
        kept = sorted(ended, key=self._rank)[: max(SHOWN_ROWS - len(running), 1)]
        return sorted([*running, *kept], key=lambda row: row.number)

    def _rank(self, row: _Row) -> tuple[bool, float]:
        objective = self._objectives[0]
        value = row.metrics.get(objective.metric, objective.worst_value)
        return row.state != "complete", -value if objective.direction == "maximize" else value

    def _cells(self, row: _Row, host: list[str]) -> list[RenderableType]:
        values = [
            f"{row.metrics[measure]:.4f}" if measure in row.metrics else "-"
            for measure in self._measures
        ]
        return [
            str(row.number),
            Text(self._name(row), style=STATE_STYLES.get(row.state, "")),
            *map(Text, host),
            f"{row.epoch}/{self._max_epochs}",
            *values,
            f"{row.elapsed():.0f} s",
            Text(self._remark(row)),
        ]

    def _name(self, row: _Row) -> str:
        going = "waiting" if row.waits else self._going
        return going if row.state == "running" else row.state

    def _remark(self, row: _Row) -> str:
        """Return why a trial failed, else its settings."""
        # The epoch of a pruned trial says enough.
        plain = row.state == "pruned" or not row.reason
        return settings_line.short(row.params) if plain else row.reason

    def _footer(self) -> str:
        rows = sorted(self._rows.values(), key=lambda row: list(STATE_STYLES).index(row.state))
        counts = [f"{count} {name}" for name, count in Counter(map(self._name, rows)).items()]
        if len(rows) == self._total == 1:
            return f"the only trial: {self._name(rows[0])}"
        ended = sum(row.state != "running" for row in rows)
        hidden = len(self._rows) - len(self._shown())
        more = f" ({hidden} not shown)" if hidden else ""
        which = f": {', '.join(counts)}" if counts else ""
        return f"{ended} of {self._total} trials ended{which}{more}"


def short(measure: str) -> str:
    """Return a measure's name as a column shows it: ``val/robust_accuracy`` is robust."""
    name = measure.removeprefix("val/")
    if name == "accuracy":
        return "clean"
    return name.removesuffix("_accuracy")
