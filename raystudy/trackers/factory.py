"""Who hears of a study."""

from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from raystudy.config.mlflow_uri import default_artifacts, store_uri
from raystudy.study.tracker import Tracker
from raystudy.trackers.console import ConsoleTracker
from raystudy.trackers.mlflow import MlflowTracker


@contextmanager
def opened(
    settings: DictConfig, console: Console, *, parent_run: bool = True
) -> Iterator[list[Tracker]]:
    """Yield the console and, unless ``tracker=none``, MLflow; in the end wait for them.

    Parameters
    ----------
    settings : DictConfig
    console : Console
    parent_run : bool
        Whether trials are children of a run of the study.
    """
    trackers: list[Tracker] = [ConsoleTracker(console, settings.max_epochs)]
    if settings.tracker.enabled:
        trackers.append(
            MlflowTracker(
                store_uri(settings.tracker.uri, settings.output_dir),
                artifacts=default_artifacts(settings.output_dir),
                parent_run=parent_run,
                params={
                    "sampler": _class_name(settings.sampler),
                    "trial_scheduler": _class_name(settings.trial_scheduler),
                },
                patience=settings.tracker.patience,
                warn=lambda words: console.print(Text(words, style="yellow"), soft_wrap=True),
                say=lambda words: console.print(Text(words, style="dim"), soft_wrap=True),
            )
        )
    try:
        yield trackers
    finally:
        for tracker in trackers:
            tracker.close()


def _class_name(node: DictConfig) -> str:
    return str(node._target_).rsplit(".", 1)[-1]
