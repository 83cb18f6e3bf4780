"""What observes a study that runs: the terminal, and the tracker of its configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from raystudy.study.open_tracker import open_tracker
from raystudy.study.tracker import Tracker
from raystudy.trackers.console import ConsoleTracker


@contextmanager
def opened(
    settings: DictConfig, console: Console, *, parent_run: bool = True
) -> Iterator[tuple[ConsoleTracker, Tracker]]:
    """Yield the terminal's display and the tracker; at the end wait for both.

    Parameters
    ----------
    settings : DictConfig
    console : Console
    parent_run : bool
        Whether trials are children of a run of the study.
    """
    display = ConsoleTracker(console, settings.max_epochs)
    tracker = open_tracker(
        settings,
        parent_run=parent_run,
        warn=lambda words: console.print(Text(words, style="yellow"), soft_wrap=True),
        say=lambda words: console.print(Text(words, style="dim"), soft_wrap=True),
    )
    try:
        yield display, tracker
    finally:
        display.close()
        tracker.close()
