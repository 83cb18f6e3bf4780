"""``raystudy --cluster FILE VERB``: a verb answered by a cluster's head, through ssh."""

import contextlib
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raystudy.cli.commands.command import Command
from raystudy.errors import EXIT_DONE, UserError

if TYPE_CHECKING:
    from raystudy.on_ray.launcher import Head

ENVIRONMENT = ". ~/raystudy-env.sh"  # which the cluster file writes on each node
MLFLOW_PORT = 5000  # of the head's loopback, see on_ray/node.sh
SSH_FAILED = 255


def run(file: str, command: Command, options: Mapping[str, Any], words: Sequence[str]) -> int:
    """Run a verb on the head of a cluster and return its exit code.

    Parameters
    ----------
    file : str
        The cluster file of Ray's launcher.
    command : Command
    options : mapping
        The verb's arguments, read here.
    words : sequence of str
        As typed, verb first.

    Raises
    ------
    UserError
        If the head does not answer this verb, or none runs.
    """
    if not command.from_laptop:
        raise UserError(
            f"--cluster: '{command.name}' is not run from here; type it on the head, where it "
            f"outlives this terminal: 'ray attach {file} --tmux'."
        )
    if command.name == "doctor":
        from raystudy.cli.doctor import cluster_file

        if code := cluster_file.report(file, as_json=options["as_json"]):
            return code
    from raystudy.on_ray import launcher

    head = launcher.running_head(Path(file))
    if command.name == "ui":
        if options["optuna"] is not None:
            raise UserError(
                "--cluster: 'ui' shows the cluster's MLflow here; Optuna's dashboard is started on "
                f"the head, 'ray attach {file}', and forwarded by 'ray attach {file} -p 5000'."
            )
        return _forward(head, options)
    if "output" in options and (options["output"] or command.name == "report"):
        return _fetch(head, options, words)
    terminal = ["-tt"] if sys.stdout.isatty() and sys.stdin.isatty() else []
    return _code(head, subprocess.call(head.ssh(*terminal, _line(words))))


def _line(words: Sequence[str]) -> str:
    return f"{ENVIRONMENT} && exec raystudy {shlex.join(words)}"


def _code(head: "Head", code: int) -> int:
    if code == SSH_FAILED:
        raise UserError(
            f"--cluster: the head does not answer; check by '{shlex.join(head.ssh('true'))}'."
        )
    return code


def _forward(head: "Head", options: Mapping[str, Any]) -> int:
    """Show the head's MLflow here until Ctrl-C; another server of the cluster's is only named."""
    from raystudy.cli.ui import require_free

    host, port = options["host"], options["port"]
    require_free(host, port)
    study = [] if options["study"] is None else [options["study"]]
    asked = head.ssh(_line(["ui", *study, *options["overrides"], "--address"]))
    told = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=False)
    there = f"http://127.0.0.1:{MLFLOW_PORT}"
    if options["address"] or told.returncode or there not in told.stdout:
        print(told.stdout, end="")  # noqa: T201
        return _code(head, told.returncode)
    tunnel = head.ssh(
        "-N", "-oExitOnForwardFailure=yes", f"-L{host}:{port}:127.0.0.1:{MLFLOW_PORT}"
    )
    print(f"through {shlex.join(tunnel)}", flush=True)  # noqa: T201
    with subprocess.Popen(tunnel) as process:
        while process.poll() is None and not _listens(host, port):
            time.sleep(0.1)
        if process.poll() is None:
            here = told.stdout.replace(there, f"http://{host}:{port}")
            print(f"{here}Ctrl-C ends it", flush=True)  # noqa: T201
    return _code(head, process.returncode)


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _fetch(head: "Head", options: Mapping[str, Any], words: Sequence[str]) -> int:
    """Have the head write a file, and copy it here."""
    wanted = options["output"]
    target = Path(wanted or f"{options['study_id']}-report.html").expanduser()
    if target.is_dir():
        target /= f"{options['study_id']}-report.html"
    if not target.parent.is_dir():
        raise UserError(f"--output: there is no folder {target.parent}; create it first.")
    asked = shlex.join(["raystudy", *_without_output(words), "--output"])
    copied = head.ssh(
        f"{ENVIRONMENT}; folder=$(mktemp -d); {asked} $folder/file > $folder/said 2>&1; code=$?; "
        f"if [ $code = 0 ]; then cat $folder/file; else cat $folder/said >&2; fi; "
        f"rm -r $folder; exit $code"
    )
    with subprocess.Popen(copied, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        content = process.stdout.read()
    if process.returncode:
        return _code(head, process.returncode)
    target.write_bytes(content)
    print(f"fetched from the cluster: {target}")  # noqa: T201
    return EXIT_DONE


def _without_output(words: Sequence[str]) -> list[str]:
    kept, following = [], iter(words)
    for word in following:
        if word == "--output":
            next(following, None)
        elif not word.startswith("--output="):
            kept.append(word)
    return kept
