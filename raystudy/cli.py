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
    for verb in VERBS:
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


def _extend_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument(
        "overrides", nargs="*", metavar="study.num_trials=+32", help="how many more"
    )


def _json_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    _override_arguments(parser)


def _best_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    _json_arguments(parser)


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    _best_arguments(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="until it ends")


def _logs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument("trial", type=int, help="a trial's number")
    parser.add_argument("-f", "--follow", action="store_true", help="until it ends")
    _override_arguments(parser)


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="ids, such as swaro-1 rocl-1")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs=2, metavar="STUDY/TRIAL", help="such as swaro-1/0")
    _json_arguments(parser)


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument("--format", choices=("csv", "json", "parquet", "latex"), default="csv")
    parser.add_argument("--output", metavar="FILE", help="instead of the terminal")
    _override_arguments(parser)


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trial", help="such as swaro-1/3, or the id of its run in MLflow")
    _override_arguments(parser)


def _rm_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument("--yes", action="store_true", help="really delete it")
    _override_arguments(parser)


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
    "_extend": _extend_arguments,
    "_stop": _folder_arguments,
    "_studies": _json_arguments,
    "_status": _status_arguments,
    "_best": _best_arguments,
    "_logs": _logs_arguments,
    "_compare": _compare_arguments,
    "_diff": _diff_arguments,
    "_export": _export_arguments,
    "_rm": _rm_arguments,
    "_replay": _replay_arguments,
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


def _extend(options: argparse.Namespace) -> int:
    """Go on with a study, finished or not, with more trials.

    study.num_trials=+32 adds, study.num_trials=64 sets.
    """
    from raystudy.sweep import extend

    return extend(options.study, options.overrides)


def _stop(options: argparse.Namespace) -> int:
    """Let a running study end gracefully; 'resume' goes on with it."""
    from raystudy.driver import stop

    return stop(options.study, options.overrides)


def _studies(options: argparse.Namespace) -> int:
    """List the studies in the results folder."""
    from raystudy.status import studies

    return studies(options.overrides, as_json=options.json)


def _status(options: argparse.Namespace) -> int:
    """Show a study's trials, also while it runs in another terminal."""
    from raystudy.status import status

    return status(options.study, options.overrides, as_json=options.json, follow=options.follow)


def _best(options: argparse.Namespace) -> int:
    """Show a study's best trial, or its front, and how to replay it."""
    from raystudy.status import best

    return best(options.study, options.overrides, as_json=options.json)


def _logs(options: argparse.Namespace) -> int:
    """Print what a trial printed, and its traceback if it failed."""
    from raystudy.status import logs

    return logs(options.study, options.trial, options.overrides, follow=options.follow)


def _compare(options: argparse.Namespace) -> int:
    """Compare studies: recipe, best trial, cost."""
    from raystudy.comparison import compare

    overrides = [word for word in options.studies if "=" in word]
    studies = [word for word in options.studies if "=" not in word]
    return compare(studies, overrides, as_json=options.json)


def _diff(options: argparse.Namespace) -> int:
    """Show in which settings and measures two trials differ."""
    from raystudy.comparison import diff

    return diff(options.runs, options.overrides, as_json=options.json)


def _export(options: argparse.Namespace) -> int:
    """Write a study's trials as CSV, JSON, Parquet or LaTeX."""
    from raystudy.comparison import export

    return export(
        options.study, options.overrides, file_format=options.format, output=options.output
    )


def _replay(options: argparse.Namespace) -> int:
    """Train a trial again; on a CPU, with the same versions, to the last digit."""
    from raystudy.replay import replay

    return replay(options.trial, options.overrides)


def _rm(options: argparse.Namespace) -> int:
    """Delete a study's folder."""
    from raystudy.driver import remove

    return remove(options.study, options.overrides, sure=options.yes)


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


VERBS = (
    _sweep,
    _train,
    _resume,
    _extend,
    _stop,
    _studies,
    _status,
    _best,
    _logs,
    _compare,
    _diff,
    _export,
    _replay,
    _rm,
    _show,
    _list,
    _ui,
    _sync,
    _doctor,
    _completion,
)

if __name__ == "__main__":
    sys.exit(main())
