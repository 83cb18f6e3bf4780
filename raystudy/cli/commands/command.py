"""A verb of the command line, as one row of a table."""

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raystudy.cli.completers import Completer


@dataclass(frozen=True)
class Argument:
    """One argument of a verb.

    Parameters
    ----------
    flags : tuple of str
        Its name, which is a parameter of the verb's function, or its options.
    settings : dict
        Of ``ArgumentParser.add_argument``.
    completer : callable, optional
        Completes its value; without one argparse's ``choices``, or names of files, do.
    """

    flags: tuple[str, ...]
    settings: dict[str, Any]
    completer: Completer | None = None

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Add it to a verb's parser."""
        action = parser.add_argument(*self.flags, **self.settings)
        if self.completer is not None:
            action.completer = self.completer  # type: ignore[attr-defined]


def argument(*flags: str, completer: Completer | None = None, **settings: Any) -> Argument:
    """Return an argument, written as for ``ArgumentParser.add_argument``."""
    return Argument(flags, settings, completer)


@dataclass(frozen=True, kw_only=True)
class Command:
    """A verb: parser, help and completion follow from it.

    Parameters
    ----------
    name : str
        As typed after ``raystudy``.
    module : str
        Imported only when the verb runs.
    function : str
        Takes each argument by its name and returns the exit code.
    summary : str
        One line.
    details : str
        What the verb's own help adds to the summary.
    arguments : tuple of Argument
    examples : str
        One command a line.
    from_laptop : bool
        Whether ``--cluster`` has the head of a cluster answer it; what takes long is typed there.
    """

    name: str
    module: str
    function: str
    summary: str
    details: str = ""
    arguments: tuple[Argument, ...]
    examples: str
    from_laptop: bool = True

    @property
    def description(self) -> str:
        """The summary and the details."""
        return f"{self.summary}\n\n{self.details}" if self.details else self.summary

    def run(self, arguments: dict[str, Any]) -> int:
        """Call the verb with its arguments by name and return its exit code."""
        function: Callable[..., int] = getattr(importlib.import_module(self.module), self.function)
        return function(**arguments)
