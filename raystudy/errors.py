"""Errors a user can cause or must know of."""


class UserError(Exception):
    """Wrong input: one sentence naming the setting, what is wrong, what was given, what to do.

    The command line prints it without a traceback and exits with 2.
    """


class TrialStoppedError(Exception):
    """Raised by a session's `report` when this trial shall not go on; not a failure."""


class StudyStalledError(Exception):
    """The study was ended before its time: nothing moves and nothing is free, or a disk is full."""


EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_RESUMABLE = 75
EXIT_KILLED = 130
