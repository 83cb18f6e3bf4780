"""Completion in a shell: the script it loads, and the answers it gets."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from argcomplete.finders import CompletionFinder
from argcomplete.shell_integration import shellcode

from raystudy.cli.commands.command import Command
from raystudy.cli.parser import split_cluster
from raystudy.errors import EXIT_DONE, UserError

CLUSTER = "--cluster"


def completion(shell: str) -> int:
    """Print the script that makes `shell` ask raystudy for completions."""
    sys.stdout.write(shellcode(["raystudy"], shell=shell))
    return EXIT_DONE


class Finder(CompletionFinder):
    """Completes settings after options, too, where argparse itself expects no more of them.

    ``--cluster FILE`` may be anywhere, as when it is run.
    """

    _cluster: str | None = None

    def _get_completions(self, comp_words: list[str], *word: Any) -> list[str]:
        if comp_words[-1] == CLUSTER:  # its value follows
            comp_words = [comp_words[0], CLUSTER]
        else:
            self._cluster, comp_words = split_cluster(comp_words)
        found: list[str] = super()._get_completions(comp_words, *word)  # type: ignore[no-untyped-call]
        return found

    def collect_completions(
        self,
        active_parsers: list[argparse.ArgumentParser],
        parsed_args: argparse.Namespace,
        cword_prefix: str,
    ) -> list[str]:
        """Return all completions of the word that is being typed."""
        parsed_args.cluster = self._cluster
        try:
            found = super().collect_completions(active_parsers, parsed_args, cword_prefix)
            return found or _settings(active_parsers[-1], parsed_args, cword_prefix)
        except UserError:  # no such study, or a YAML that cannot be read: running it reports that
            return []


def _settings(
    parser: argparse.ArgumentParser, parsed_args: argparse.Namespace, prefix: str
) -> list[str]:
    command: Command | None = parser.get_default("command")
    if command is None or prefix.startswith("-") or _awaits_value(parser):
        return []
    completers = (one.completer for one in command.arguments if one.flags == ("overrides",))
    completer = next(completers, None)
    words = completer(prefix=prefix, parsed_args=parsed_args) if completer else ()
    return [word for word in words if word.startswith(prefix)]


def _awaits_value(parser: argparse.ArgumentParser) -> bool:
    """Return whether the next word is an option's value."""
    active: Sequence[argparse.Action] = parser.active_actions  # type: ignore[attr-defined]
    return any(action.option_strings and action.nargs != 0 for action in active)


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, then exit."""
    Finder()(parser, always_complete_options=False)
