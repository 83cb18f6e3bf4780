"""The tracker that a configuration names."""

from collections.abc import Callable, Sequence
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from raystudy.config import compose, library_errors, scopes
from raystudy.config.scopes import Scope
from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder
from raystudy.study.tracker import NoTracker, Tracker

Say = Callable[[str], None]


def open_tracker(
    settings: DictConfig,
    *,
    parent_run: bool = True,
    warn: Say | None = None,
    say: Say = lambda _: None,
) -> Tracker:
    """Return the tracker of ``settings.tracker``, which has delivered nothing yet.

    Parameters
    ----------
    settings : DictConfig
        Of a study, or those that all studies share.
    parent_run : bool
        Whether trials are part of a study.
    warn, say : callable (str) -> None, optional

    Raises
    ------
    UserError
        If there is no such class, or if it does not accept its settings.
    """
    own = compose.plain(settings.tracker)
    if not own.pop("enabled", True):  # as studies of 2026 say tracker=none
        return NoTracker()
    try:
        make = instantiate({**own, "_partial_": True})
    except Exception as error:  # of the user's own module, perhaps
        raise UserError(
            f"tracker._target_: '{own.get('_target_')}' cannot be used: {library_errors.own(error)}"
        ) from error
    tracker: Tracker = make(
        output_dir=str(settings.output_dir),
        parent_run=parent_run,
        params=_search_settings(settings),
        warn=warn,
        say=say,
    )
    return tracker


def tracker_of_study(
    folder: StudyFolder, overrides: Sequence[str], warn: Say | None = None
) -> Tracker:
    """Return the tracker that a study was started with, unless `overrides` say otherwise."""
    return open_tracker(settings_of_study(folder, overrides), warn=warn)


def settings_of_study(folder: StudyFolder, overrides: Sequence[str] = ()) -> DictConfig:
    """Return what says which tracker a study was started with, unless `overrides` do."""
    manifest = folder.read_manifest()
    own = scopes.select((*manifest.overrides, *overrides), [Scope.TRACKER])
    settings = compose.load_shared(own, manifest.search_path)
    settings.output_dir = str(folder.home)  # the folder may have been moved
    return settings


def _search_settings(settings: DictConfig) -> dict[str, Any]:
    names = [name for name in ("sampler", "trial_scheduler") if name in settings]
    return {name: str(settings[name]._target_).rpartition(".")[2] for name in names}
