"""Where results are: `output_dir` of a configuration, or of the overrides that are typed."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from raystudy.config import compose, scopes
from raystudy.storage import output_dir


def folder_of(settings: DictConfig) -> Path:
    """Return the results folder of a configuration."""
    return output_dir.resolve(settings.output_dir)


def results_folder(overrides: Sequence[str]) -> Path:
    """Return the results folder that the overrides of a command about any study name.

    Raises
    ------
    UserError
        If one of them is no setting that all studies share.
    """
    return folder_of(compose.load_shared(overrides))


def results_folder_among(overrides: Sequence[str]) -> Path:
    """Return the results folder that overrides name which are of a study besides."""
    return results_folder(scopes.select(overrides, scopes.SHARED))
