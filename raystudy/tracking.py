"""Who hears of a study."""

from omegaconf import DictConfig
from rich.console import Console

from raystudy.study_folder import StudyFolder
from raystudy.trackers.base import Tracker
from raystudy.trackers.console import ConsoleTracker


def build(
    settings: DictConfig, folder: StudyFolder, console: Console, *, parent_run: bool = True
) -> list[Tracker]:
    """Return the console and, unless ``tracker=none``, MLflow.

    Parameters
    ----------
    settings : DictConfig
    folder : StudyFolder
    console : Console
    parent_run : bool
        Whether trials are children of a run of the study.
    """
    trackers: list[Tracker] = [ConsoleTracker(console, settings.max_epochs)]
    return trackers
