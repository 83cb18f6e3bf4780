"""Who hears of a study."""

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from raystudy.trackers.base import Tracker
from raystudy.trackers.console import ConsoleTracker
from raystudy.trackers.mlflow import MlflowTracker
from raystudy.trackers.store import default_artifacts, store_uri


def build(settings: DictConfig, console: Console, *, parent_run: bool = True) -> list[Tracker]:
    """Return the console and, unless ``tracker=none``, MLflow.

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
            )
        )
    return trackers


def _class_name(node: DictConfig) -> str:
    return str(node._target_).rsplit(".", 1)[-1]
