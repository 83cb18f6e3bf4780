"""The command line: parse and call.

Nothing heavy is imported before a verb needs it, so that ``--help`` answers at once.
"""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence

from raystudy import __version__
from raystudy.errors import EXIT_DONE, EXIT_FAILED, EXIT_KILLED, EXIT_WRONG_INPUT, UserError

EXAMPLES = """\
examples:
  raystudy sweep swaro                                  the main job, on this machine
  raystudy sweep swaro study.num_trials=32 sampler=gp   more trials, another sampler
  raystudy sweep swaro method.cluster_probability=0.5   pin a setting that is searched
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
    except Exception:
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
    for verb in (_sweep, _train, _resume, _show, _list, _ui, _sync, _doctor, _completion):
        verb_parser = verbs.add_parser(
            verb.__name__.lstrip("_"),
            help=(verb.__doc__ or "").splitlines()[0],
            description=verb.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb_parser.set_defaults(run=verb)
        _ARGUMENTS[verb.__name__](verb_parser)
    return parser


def _study_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's name, such as swaro ('raystudy list')")
    _override_arguments(parser)


def _sweep_arguments(parser: argparse.ArgumentParser) -> None:
    _study_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="check and show the plan only")


def _folder_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    _override_arguments(parser)


def _override_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", metavar="path=value", help="settings")
    parser.add_argument(
        "--search-path",
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder with your own study YAML; may be repeated",
    )


def _ui_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--host", default="127.0.0.1")
    _override_arguments(parser)


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    _override_arguments(parser)


def _completion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


_ARGUMENTS = {
    "_sweep": _sweep_arguments,
    "_train": _study_arguments,
    "_resume": _folder_arguments,
    "_show": _study_arguments,
    "_list": _override_arguments,
    "_ui": _ui_arguments,
    "_sync": _folder_arguments,
    "_doctor": _doctor_arguments,
    "_completion": _completion_arguments,
}


def _sweep(options: argparse.Namespace) -> int:
    """Search a study's space on Ray.

    A plain setting (path=value) holds for every trial and takes that axis out of the search;
    choice(a,b), range(low,high,step) and interval(low,high) replace the axis.
    """
    from raystudy.sweep import sweep

    return sweep(options.study, options.overrides, options.search_path, dry_run=options.dry_run)


def _train(options: argparse.Namespace) -> int:
    """Run one trial in this process, without Ray."""
    from raystudy.train import train

    return train(options.study, options.overrides, options.search_path)


def _resume(options: argparse.Namespace) -> int:
    """Go on with a study after Ctrl-C, a crash or a reboot.

    Finished trials are not run again; the others go on from their last checkpoint.
    """
    from raystudy.sweep import resume

    return resume(options.study, options.overrides)


def _show(options: argparse.Namespace) -> int:
    """Show a study's settings, its search space and where each number is from."""
    from raystudy.show import show

    return show(options.study, options.overrides, options.search_path)


def _list(options: argparse.Namespace) -> int:
    """List the studies, and the choices of every group of settings."""
    from raystudy.listing import list_choices

    return list_choices(options.search_path)


def _ui(options: argparse.Namespace) -> int:
    """Open MLflow's user interface on the store of the results."""
    from raystudy.ui import ui

    return ui(options.overrides, host=options.host, port=options.port)


def _sync(options: argparse.Namespace) -> int:
    """Deliver to MLflow what waits on disk because the server could not be reached."""
    from raystudy.sync import sync_study

    return sync_study(options.study, options.overrides)


def _doctor(options: argparse.Namespace) -> int:
    """Check versions, devices, Ray, disk and store, and say what to do."""
    from raystudy.doctor import doctor

    return doctor(options.overrides, as_json=options.json)


def _completion(options: argparse.Namespace) -> int:
    """Print a completion script for your shell.

    bash:  eval "$(raystudy completion bash)"
    zsh:   eval "$(raystudy completion zsh)"
    fish:  raystudy completion fish | source
    """
    from raystudy.completion import completion

    return completion(options.shell)


if __name__ == "__main__":
    sys.exit(main())
