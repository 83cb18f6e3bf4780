"""The command line: parse and call.

Nothing heavy is imported before a verb needs it, so that ``--help`` answers at once.
"""

import argparse
import difflib
import errno
import logging
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Sequence
from inspect import cleandoc
from typing import NoReturn

from raystudy import __version__
from raystudy.cli.commands.examples import EXAMPLES, GROUPS
from raystudy.cli.commands.table import VERBS
from raystudy.config import import_path
from raystudy.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_KILLED,
    EXIT_WRONG_INPUT,
    StudyStalledError,
    UnreadableError,
    UserError,
)
from raystudy.storage import disk, file_names

BEGIN = """\
begin with:
  raystudy sweep swaro              the main job, on this machine
  raystudy sweep --help             examples, as every COMMAND has

Settings are written path=value in Hydra's syntax; 'raystudy show STUDY' lists them.
Results lie in ~/raystudy; output_dir=FOLDER or the variable RAYSTUDY_HOME moves them.

exit codes: 0 done, 1 failed, 2 wrong input, 75 interrupted and resumable, 130 Ctrl-C"""

NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    file_names.to_terminal()
    if arguments is None:
        import_path.forget_working_folder()
    options = _parse(arguments)
    _show_progress_of("trainables.data")
    try:
        _refuse_missing(getattr(options, "search_path", ()))
        code: int = options.run(options)
        sys.stdout.flush()
    except UnreadableError as error:
        words = error.within(sys.argv[1:] if arguments is None else arguments)
        print(f"raystudy: {words}", file=sys.stderr)  # noqa: T201
        return EXIT_WRONG_INPUT
    except UserError as error:
        print(f"raystudy: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_WRONG_INPUT
    except StudyStalledError as error:
        print(f"raystudy: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_KILLED
    except BrokenPipeError:  # the reader (head, less) went away; that is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except Exception as error:
        if shortage := disk.shortage(error):
            print(f"raystudy: {shortage}; make room, then repeat it.", file=sys.stderr)  # noqa: T201
            return EXIT_FAILED
        if isinstance(error, OSError) and error.errno in NOT_ALLOWED and error.filename:
            print(f"raystudy: {error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
            return EXIT_FAILED
        if words := _words_of_libraries(error):
            print(f"raystudy: {words}", file=sys.stderr)  # noqa: T201
            return EXIT_WRONG_INPUT
        traceback.print_exc()
        return EXIT_FAILED
    return code


def _refuse_missing(search_path: Sequence[str]) -> None:
    for folder in search_path:
        if not os.path.isdir(folder):  # noqa: PTH112
            raise UserError(f"--search-path: {folder} is not a folder; it names one of YAML files.")


def _words_of_libraries(error: Exception) -> str:
    """Return what Hydra, OmegaConf or a YAML has against the settings; empty for other errors."""
    if "omegaconf" not in sys.modules:  # it takes its time, and had no part in the error
        return ""
    from raystudy.config import library_errors

    return library_errors.words(error)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read a command line on which options and settings may stand in any order."""
    parser = _parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        parser.print_help(sys.stderr)
        parser.exit(EXIT_WRONG_INPUT)
    options, more = parser.parse_known_args(arguments)
    unknown = [word for word in more if word.startswith("-") or not hasattr(options, "overrides")]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if more:
        options.overrides = [*options.overrides, *more]
    return options


def _show_progress_of(logger: str) -> None:
    """Show what a part of the library says while it is busy, such as reading many images."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger(logger).addHandler(handler)
    logging.getLogger(logger).setLevel(logging.INFO)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in a sentence, not by the list of all there is."""

    def error(self, message: str) -> NoReturn:
        """Print it and leave with 2."""
        found = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if found:
            word, choices = found[1], re.findall(r"[\w-]+", found[2])
            near = difflib.get_close_matches(word, choices, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(choices)}."
            message = f"no '{word}' here; {hint}"
        self.exit(EXIT_WRONG_INPUT, f"raystudy: {message}\n('{self.prog} --help' has examples)\n")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        prog="raystudy",
        usage="raystudy COMMAND ...",
        description="Hyperparameter studies of robust and self-supervised training.\n\n"
        + _groups(),
        epilog=BEGIN,
        formatter_class=raw,
    )
    parser.add_argument("--version", action="version", version=f"raystudy {__version__}")
    verbs = parser.add_subparsers(
        prog="raystudy", metavar="COMMAND", required=True, help=argparse.SUPPRESS
    )
    for verb, add_arguments in VERBS.items():
        name = verb.__name__.rstrip("_")
        verb_parser = verbs.add_parser(
            name,
            description=cleandoc(verb.__doc__ or ""),
            epilog="examples:\n" + textwrap.indent(EXAMPLES[name], "  "),
            formatter_class=raw,
        )
        verb_parser.set_defaults(run=verb)
        add_arguments(verb_parser)
    return parser


def _groups() -> str:
    """Return all verbs with what they do, in the order of a study's life."""
    does = {verb.__name__.rstrip("_"): (verb.__doc__ or "").splitlines()[0] for verb in VERBS}
    lines = []
    for title, names in GROUPS.items():
        lines += [f"{title}:", *(f"  {name:<11} {does[name]}" for name in names), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
