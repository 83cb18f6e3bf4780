"""A piece of work of a suite."""

from typing import NamedTuple


class Step(NamedTuple):
    """A piece of work that is done.

    Parameters
    ----------
    task : str
        What it belongs to, in words.
    share : float
        How much of that is done now, in [0, 1].
    """

    task: str
    share: float
