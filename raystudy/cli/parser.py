"""The parser of the command line, which follows from the table of verbs."""

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from raystudy import __version__
from raystudy.cli.commands.command import Command
from raystudy.cli.commands.table import GROUPS
from raystudy.errors import EXIT_WRONG_INPUT

ROOM = 80 - len("     # ")  # of a line of help, whose commands are not broken
EPILOG = """\
get started:
  raystudy sweep swaro              run a whole study on this machine
  raystudy COMMAND --help           options and examples of a command
  raystudy --cluster FILE COMMAND   of studies on the cluster of 'ray up FILE'

Settings are written path=value, as in Hydra; 'raystudy show STUDY' lists them.
Results are in ~/raystudy; output_dir=FOLDER or RAYSTUDY_HOME moves them.

exit codes: 0 done, 1 failed, 2 wrong input, 75 interrupted (resume), 130 Ctrl-C"""


class Parser(argparse.ArgumentParser):
    """Reports a wrong word in one sentence instead of a usage message."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with 2."""
        invalid = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if invalid:
            word, choices = invalid[1], re.findall(r"[\w-]+", invalid[2])
            near = difflib.get_close_matches(word, choices, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(choices)}."
            message = f"unknown word '{word}'; {hint}"
        self.exit(EXIT_WRONG_INPUT, f"raystudy: {message}\n(see '{self.prog} --help')\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; it sets ``command`` to the `Command` that was typed."""
    parser = Parser(
        prog="raystudy",
        usage="raystudy COMMAND ...",
        description="Hyperparameter studies of robust and self-supervised training.\n\n"
        + _summaries(),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"raystudy {__version__}")
    parser.add_argument(
        "--cluster",
        metavar="FILE",
        help="have the head of this cluster answer, such as cluster.yaml",
    )
    commands = parser.add_subparsers(
        prog="raystudy", metavar="COMMAND", required=True, help=argparse.SUPPRESS
    )
    for group in GROUPS.values():
        for command in group:
            _add(command, commands)
    return parser


def split_cluster(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the value of ``--cluster``, wherever it was typed, and the other words."""
    parser = Parser(prog="raystudy", add_help=False, allow_abbrev=False)
    parser.add_argument("--cluster")
    options, others = parser.parse_known_args(words)
    return options.cluster, others


def parse(words: Sequence[str]) -> tuple[Command, dict[str, Any]]:
    """Return the verb and its arguments by name; options and settings may be in any order."""
    parser = make_parser()
    if not words:
        parser.print_help(sys.stderr)
        parser.exit(EXIT_WRONG_INPUT)
    options, extra = parser.parse_known_args(words)
    arguments = vars(options)
    command: Command = arguments.pop("command")
    arguments.pop("cluster")  # see `split_cluster`
    unknown = [word for word in extra if word.startswith("-") or "overrides" not in arguments]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if extra:
        arguments["overrides"] = [*arguments["overrides"], *extra]
    return command, arguments


def _add(command: Command, commands: "argparse._SubParsersAction[Parser]") -> None:
    parser = commands.add_parser(
        command.name,
        description=command.description,
        epilog="examples:\n" + _examples(command.examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    for argument in command.arguments:
        argument.add_to(parser)


def _examples(text: str) -> str:
    """Return commands with their comments in one column, above commands too long for that."""
    pairs = [[part.strip() for part in line.split("  #")] for line in text.splitlines()]
    commented = sorted((pair for pair in pairs if len(pair) == 2), key=lambda pair: len(pair[0]))
    most = [max(len(comment) for _, comment in commented[: i + 1]) for i in range(len(commented))]
    fitting = (
        len(pair[0]) for pair, m in zip(commented, most, strict=True) if len(pair[0]) + m <= ROOM
    )
    column = max(fitting, default=0)
    lines = []
    for command, *comment in pairs:
        if comment and len(command) > column:
            lines += [f"  # {comment[0]}", f"  {command}"]
        else:
            lines.append(f"  {command:<{column}}   # {comment[0]}" if comment else f"  {command}")
    return "\n".join(lines)


def _summaries() -> str:
    """Return each group of verbs with their summaries."""
    lines = []
    for title, group in GROUPS.items():
        lines += [f"{title}:", *(f"  {verb.name:<11} {verb.summary}" for verb in group), ""]
    return "\n".join(lines)
