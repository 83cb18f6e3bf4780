"""How what was run has ended."""

from typing import NamedTuple

from raystudy.storage.folders import StudyFolder


class Ended(NamedTuple):
    """A study or a training that has ended, by itself or interrupted.

    Parameters
    ----------
    folder : StudyFolder
    exit_code : int
        See `raystudy.errors`.
    """

    folder: StudyFolder
    exit_code: int
