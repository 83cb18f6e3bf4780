"""The command line: parse and call.

Nothing heavy is imported before a verb needs it, so that ``--help`` answers at once.
"""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence

from raystudy import __version__, disk
from raystudy.errors import EXIT_DONE, EXIT_FAILED, EXIT_KILLED, EXIT_WRONG_INPUT, UserError
from raystudy.verbs import VERBS

EXAMPLES = """\
examples:
  raystudy sweep swaro                                  the main job, on this machine
  raystudy sweep swaro study.num_trials=32 sampler=gp   more trials, another sampler
  raystudy sweep swaro clusters.probability=0.5         pin a setting that is searched
  raystudy sweep swaro 'optimizer.lr=interval(0.1,2)'   search another range
  raystudy sweep swaro data=cifar10 data.root=~/data scaling.use_gpu=true
  raystudy train swaro max_epochs=3                     one trial, here, without Ray
  raystudy show swaro                                   every setting and where its number is from
  raystudy resume swaro-1                               go on after Ctrl-C, crash or reboot
  raystudy ui                                           MLflow on this store

Settings are written path=value in Hydra's syntax; 'raystudy show STUDY' lists them.
Results lie in ~/raystudy; output_dir=FOLDER or the variable RAYSTUDY_HOME moves them.

exit codes: 0 done, 1 failed, 2 wrong input, 75 interrupted and resumable, 130 Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parse(arguments)
    _show_progress_of("trainables.data")
    try:
        code: int = options.run(options)
    except UserError as error:
        print(f"raystudy: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_WRONG_INPUT
    except KeyboardInterrupt:
        return EXIT_KILLED
    except BrokenPipeError:  # the reader (head, less) went away; that is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except Exception as error:
        if shortage := disk.shortage(error):
            print(f"raystudy: {shortage}; make room, then repeat it.", file=sys.stderr)  # noqa: T201
            return EXIT_FAILED
        traceback.print_exc()
        return EXIT_FAILED
    return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read a command line on which options and settings may stand in any order."""
    parser = _parser()
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raystudy",
        description="Hyperparameter studies of robust and self-supervised training.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"raystudy {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    for verb, add_arguments in VERBS.items():
        verb_parser = verbs.add_parser(
            verb.__name__.rstrip("_"),
            help=(verb.__doc__ or "").splitlines()[0],
            description=verb.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb_parser.set_defaults(run=verb)
        add_arguments(verb_parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
