"""Errors a user can cause or must know of."""

import shlex
from collections.abc import Sequence


class UserError(Exception):
    """Wrong input: one sentence naming the setting, what is wrong, what was given, what to do.

    The command line prints it without a traceback and exits with 2.
    """


class UnreadableError(UserError):
    """An override that cannot be read, and how it could.

    Parameters
    ----------
    wrong : str
        As it was typed.
    right : str
        What may be meant, in Hydra's grammar.
    """

    def __init__(self, wrong: str, right: str) -> None:
        super().__init__(f"cannot read the override '{wrong}'; did you mean {shlex.quote(right)}?")
        self._wrong, self._right = wrong, right

    def within(self, words: Sequence[str]) -> str:
        """Return the sentence with the command line that works.

        Parameters
        ----------
        words : sequence of str
            The arguments of ``raystudy``.
        """
        if self._wrong not in words:
            return str(self)
        meant = [self._right if word == self._wrong else word for word in words]
        return (
            f"cannot read the override '{self._wrong}'; did you mean: "
            f"{shlex.join(['raystudy', *meant])}"
        )


class TrialStoppedError(Exception):
    """Raised by a session's `report` when this trial shall stop; not a failure."""


class StudyStalledError(Exception):
    """The study was ended early: it has stalled, or a disk is full."""


EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_RESUMABLE = 75
EXIT_KILLED = 130
