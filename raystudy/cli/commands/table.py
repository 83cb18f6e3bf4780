"""The verbs of the command line: each calls the module that does the work.

Nothing heavy is imported before a verb needs it, so that ``--help`` answers at once.
"""

import argparse

from raystudy.cli.commands import arguments


def sweep(options: argparse.Namespace) -> int:
    """Search a study's space on Ray.

    A plain setting (path=value) holds for every trial and takes that axis out of the search;
    choice(a,b), range(low,high,step) and interval(low,high) replace the axis.
    """
    from raystudy.cli.sweep import sweep

    return sweep(options.study, options.overrides, options.search_path, dry_run=options.dry_run)


def plan(options: argparse.Namespace) -> int:
    """Show what a sweep would do and take, after a few measured steps; starts nothing."""
    from raystudy.cli.sweep import sweep

    return sweep(
        options.study,
        options.overrides,
        options.search_path,
        dry_run=True,
        as_json=options.json,
    )


def train(options: argparse.Namespace) -> int:
    """Run one trial in this process, without Ray."""
    from raystudy.cli.train import train

    return train(options.study, options.overrides, options.search_path)


def resume(options: argparse.Namespace) -> int:
    """Go on with a study after Ctrl-C, a crash or a reboot.

    Finished trials are not run again; the others go on from their last checkpoint.
    """
    from raystudy.cli.sweep import resume

    return resume(options.study, options.overrides)


def extend(options: argparse.Namespace) -> int:
    """Go on with a study, finished or not, with more trials.

    study.num_trials=+32 adds, study.num_trials=64 sets.
    """
    from raystudy.cli.sweep import extend

    return extend(options.study, options.overrides)


def pause(options: argparse.Namespace) -> int:
    """Let a running study begin no more trials; 'resume' goes on with it."""
    from raystudy.cli.stop import pause

    return pause(options.study, options.overrides)


def stop(options: argparse.Namespace) -> int:
    """Let a running study end gracefully; 'resume' goes on with it."""
    from raystudy.cli.stop import stop

    return stop(options.study, options.overrides)


def studies(options: argparse.Namespace) -> int:
    """List the studies in the results folder."""
    from raystudy.cli.status import studies

    return studies(options.overrides, as_json=options.json)


def status(options: argparse.Namespace) -> int:
    """Show a study's trials, also while it runs in another terminal."""
    from raystudy.cli.status import status

    return status(options.study, options.overrides, as_json=options.json, follow=options.follow)


def best(options: argparse.Namespace) -> int:
    """Show a study's best trial, or its front, and how to replay it."""
    from raystudy.cli.status import best

    return best(options.study, options.overrides, as_json=options.json)


def logs(options: argparse.Namespace) -> int:
    """Print a trial's epochs, what its processes printed, and how it ended."""
    from raystudy.cli.logs import logs

    return logs(options.study, options.trial, options.overrides, follow=options.follow)


def compare(options: argparse.Namespace) -> int:
    """Compare studies: recipe, best trial, cost, at equal cost if asked.

    Studies whose measures were taken unlike are refused, unless forced.
    """
    from raystudy.cli.compare import compare

    overrides = [word for word in options.studies if "=" in word]
    studies = [word for word in options.studies if "=" not in word]
    return compare(
        studies, overrides, as_json=options.json, force=options.force, budget=options.budget
    )


def diff(options: argparse.Namespace) -> int:
    """Show in which settings and measures two trials differ."""
    from raystudy.cli.compare import diff

    return diff(options.runs, options.overrides, as_json=options.json)


def export(options: argparse.Namespace) -> int:
    """Write a study's trials as a table, or a trained encoder for other programs.

    Of a confirm it is the table of its race: with --format latex as a paper prints it.

    With --format safetensors, STUDY may also be STUDY/TRIAL or the id of a run in MLflow; a ResNet
    gets torchvision's names.
    """
    if options.format == "safetensors":
        from raystudy.evaluation.export_encoder import export_weights

        return export_weights(options.study, options.overrides, output=options.output)
    from raystudy.cli.export import export

    return export(
        options.study, options.overrides, file_format=options.format, output=options.output
    )


def replay(options: argparse.Namespace) -> int:
    """Train a trial again; on a CPU, with the same versions, to the last digit."""
    from raystudy.cli.replay import replay

    return replay(options.trial, options.overrides)


def rm(options: argparse.Namespace) -> int:
    """Delete a study: its folder, and its runs in MLflow.

    Without --yes it only says what would go. A study that runs must be stopped first.
    """
    from raystudy.cli.rm import remove

    return remove(
        options.study, options.overrides, sure=options.yes, keep_mlflow=options.keep_mlflow
    )


def evaluate(options: argparse.Namespace) -> int:
    """Measure trained networks by a suite: protocols, attacks, gradient masking checks.

    WHAT is a study (its best trial), STUDY/TRIAL, the id of a run in MLflow, or a file with
    weights (then say encoder=... and data=...; FILE:PREFIX where it holds several encoders).
    Several are measured at once on Ray.
    """
    from raystudy.cli.evaluate import evaluate
    from raystudy.evaluation.locate import is_network

    overrides = [word for word in options.what if not is_network(word)]
    what = [word for word in options.what if is_network(word)]
    return evaluate(
        what, [*overrides, *options.overrides], options.search_path, as_json=options.json
    )


def look(options: argparse.Namespace) -> int:
    """Make pictures of a trained network: features, adversarial examples, what excites it.

    RUN is a study (its best trial), STUDY/TRIAL, the id of a run in MLflow, or a file with
    weights (then say encoder=... and data=...).
    """
    from raystudy.cli.look import look

    return look(
        options.run_,
        options.overrides,
        options.search_path,
        pictures=options.picture,
        output=options.output,
    )


def confirm(options: argparse.Namespace) -> int:
    """Race a study's best trials and the published recipe on fresh seeds.

    Only then is the test split read. 'raystudy resume' goes on with a race that was cut off. With
    --top 0 the recipe runs alone and no test image is read: how large must a difference be to be
    more than the luck of a seed?
    """
    from raystudy.cli.confirm import confirm

    return confirm(
        options.study,
        options.overrides,
        top=options.top,
        seeds=options.seeds,
        as_json=options.json,
    )


def report(options: argparse.Namespace) -> int:
    """Write a study's report: one page to read, print and send."""
    from raystudy.cli.report import report

    return report(
        options.study,
        options.overrides,
        output=options.output,
        importance=options.importance,
        as_json=options.json,
    )


def show(options: argparse.Namespace) -> int:
    """Show a study's settings, its search space and where each number is from."""
    from raystudy.cli.show import show

    return show(options.study, options.overrides, options.search_path, as_json=options.json)


def list_(options: argparse.Namespace) -> int:
    """List the studies, and the choices of every group of settings."""
    from raystudy.cli.list import list_choices

    return list_choices(options.search_path, as_json=options.json)


def ui(options: argparse.Namespace) -> int:
    """Open MLflow's user interface on the store of the results."""
    from raystudy.cli.ui import ui

    return ui(options.overrides, host=options.host, port=options.port)


def sync(options: argparse.Namespace) -> int:
    """Deliver to MLflow what waits on disk because the server could not be reached.

    Where it still cannot, that is said within seconds; --background goes on trying.
    """
    from raystudy.cli.sync import sync_study

    return sync_study(options.study, options.overrides, background=options.background)


def doctor(options: argparse.Namespace) -> int:
    """Check versions, devices, disk, MLflow, workers and Ray, and say what to do.

    Named a study ('raystudy doctor swaro data=cifar10'), it also holds what that will write
    against the free disk.
    """
    from raystudy.cli.doctor.verb import doctor

    words = [*([options.study] if options.study else []), *options.overrides]
    named = [word for word in words if "=" not in word]
    settings = [word for word in words if "=" in word]
    return doctor(named[0] if named else None, settings, options.search_path, as_json=options.json)


def completion(options: argparse.Namespace) -> int:
    """Print a completion script for your shell.

    bash:  eval "$(raystudy completion bash)"
    zsh:   eval "$(raystudy completion zsh)"
    fish:  raystudy completion fish | source
    """
    from raystudy.cli.shell_completion import completion

    return completion(options.shell)


VERBS = {
    sweep: arguments.sweep_arguments,
    plan: arguments.json_study_arguments,
    train: arguments.study_arguments,
    resume: arguments.resume_arguments,
    extend: arguments.extend_arguments,
    pause: arguments.folder_arguments,
    stop: arguments.folder_arguments,
    studies: arguments.json_arguments,
    status: arguments.status_arguments,
    best: arguments.best_arguments,
    logs: arguments.logs_arguments,
    compare: arguments.compare_arguments,
    diff: arguments.diff_arguments,
    export: arguments.export_arguments,
    evaluate: arguments.evaluate_arguments,
    look: arguments.look_arguments,
    confirm: arguments.confirm_arguments,
    report: arguments.report_arguments,
    replay: arguments.replay_arguments,
    rm: arguments.rm_arguments,
    show: arguments.json_study_arguments,
    list_: arguments.list_arguments,
    ui: arguments.ui_arguments,
    sync: arguments.sync_arguments,
    doctor: arguments.doctor_arguments,
    completion: arguments.completion_arguments,
}
