"""The command line: parse, run a verb, turn errors into sentences and exit codes."""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from raystudy.cli import parser
from raystudy.cli.commands.command import Command
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

NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    file_names.to_terminal()
    if arguments is None:
        import_path.forget_working_folder()
        _complete()
    words = sys.argv[1:] if arguments is None else arguments
    cluster, words = parser.split_cluster(words)
    command, options = parser.parse(words)
    _show_log_of("trainables.data")
    try:
        _require_folders(options.get("search_path", ()))
        code = command.run(options) if cluster is None else _ask(cluster, command, options, words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_KILLED
    except BrokenPipeError:  # the reader (head, less) has closed the pipe, which is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except Exception as error:
        message, code = _explain(error, words)
        if message:
            print(f"raystudy: {message}", file=sys.stderr)  # noqa: T201
        else:
            traceback.print_exc()
    return code


def _ask(cluster: str, command: Command, options: dict[str, Any], words: Sequence[str]) -> int:
    from raystudy.cli import remote

    return remote.run(cluster, command, options, words)


def _complete() -> None:
    """Print completions and exit if a shell asks for them, see ``raystudy completion``."""
    if "_ARGCOMPLETE" in os.environ:
        from raystudy.cli import completion

        completion.complete(parser.make_parser())


def _explain(error: Exception, words: Sequence[str]) -> tuple[str, int]:
    """Return an error's message, empty if only a traceback explains it, and the exit code."""
    if isinstance(error, UnreadableError):
        return error.within(words), EXIT_WRONG_INPUT
    if isinstance(error, UserError):
        return str(error), EXIT_WRONG_INPUT
    if isinstance(error, StudyStalledError):
        return str(error), EXIT_FAILED
    if shortage := disk.shortage(error):
        return f"{shortage}; free some space, then rerun the command.", EXIT_FAILED
    if isinstance(error, OSError) and error.errno in NOT_ALLOWED and error.filename:
        return f"{error.filename}: {error.strerror}", EXIT_FAILED
    if "omegaconf" in sys.modules:  # slow to import, and unless imported not the cause
        from raystudy.config import library_errors

        if message := library_errors.words(error):
            return message, EXIT_WRONG_INPUT
    return "", EXIT_FAILED


def _require_folders(search_path: Sequence[str]) -> None:
    for folder in search_path:
        if not os.path.isdir(folder):  # noqa: PTH112
            raise UserError(f"--search-path: {folder} is not a folder; give one with YAML files.")


def _show_log_of(logger: str) -> None:
    """Print what a library logs during slow work, such as reading many images."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger(logger).addHandler(handler)
    logging.getLogger(logger).setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
