"""Verbs with ``--cluster``; an ``ssh`` that stays on this machine stands in the path."""

import socket
import sys
from pathlib import Path

import pytest

from raystudy.cli import main
from raystudy.cli.doctor.cluster_file import check_images

SSH = """#!/bin/sh
echo "$@" >> $HOME/ssh.log
for word; do last=$word; done
exec sh -c "$last"
"""
RAYSTUDY = """#!/bin/sh
for word; do last=$word; done
case "$*" in
"ui none-1 --address") echo "no study" >&2; exit 2;;
"ui a-1 tracker.uri=http://other:8 --address") echo "open http://other:8/#/a"; exit 0;;
"ui a-1 --address")
    echo "open trials: http://127.0.0.1:5000/#/a"
    echo "charts: http://127.0.0.1:5000/#/b"
    exit 0;;
esac
case $last in */file) [ $2 = none-1 ] || { echo page > $last; exit 0; };; esac
echo "in $RAYSTUDY_HOME: $@" >&2
exit 2
"""


@pytest.fixture
def file(tmp_path, monkeypatch, capfd):
    """Return the file of a cluster whose head is this machine, with a home of its own."""
    (tmp_path / "bin").mkdir()
    for name, text in (
        ("ssh", SSH),
        ("raystudy", RAYSTUDY),
    ):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "raystudy-env.sh").write_text(f"export RAYSTUDY_HOME={tmp_path}/head\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    (tmp_path / "key").touch()
    assert main.main(["cluster", "init", "--hosts=10.0.0.1", f"--key={tmp_path}/key"]) == 0
    path = tmp_path / "machines.yaml"
    path.write_text(capfd.readouterr().out)
    monkeypatch.chdir(tmp_path)
    return path


def test_the_heads_words_and_exit_code_are_the_verbs_own(file, capfd):
    assert main.main(["status", "--cluster", str(file), "it's-1"]) == 2
    assert f"in {file.parent}/head: status it's-1" in capfd.readouterr().err
    (asked,) = (file.parent / "ssh.log").read_text().splitlines()
    assert f"-i {file.parent}/key -o IdentitiesOnly=yes" in asked
    assert "@10.0.0.1 . ~/raystudy-env.sh && exec raystudy status" in asked


@pytest.mark.usefixtures("file")
def test_a_report_is_fetched_to_where_it_was_asked_for():
    assert main.main(["--cluster=machines.yaml", "report", "a-1"]) == 0
    assert main.main(["--cluster=machines.yaml", "export", "a-1", "--output=t.csv"]) == 0
    assert Path("a-1-report.html").read_text() == Path("t.csv").read_text() == "page\n"


def test_a_report_that_cannot_be_written_leaves_no_file(file, capfd):
    assert main.main([f"--cluster={file}", "report", "none-1"]) == 2
    assert f"in {file.parent}/head: report none-1" in capfd.readouterr().err
    assert not Path("none-1-report.html").exists()


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--cluster", "none.yaml", "studies"], "none.yaml cannot be read"),
        (["--cluster", "machines.yaml", "sweep", "swaro"], "'ray attach machines.yaml --tmux'"),
        (["--cluster", "key", "studies"], "is no cluster file of Ray's launcher"),
        (["--cluster", "machines.yaml", "report", "a-1", "--output=no/f"], "there is no folder no"),
    ],
)
@pytest.mark.usefixtures("file")
def test_wrong_words_end_in_one_sentence(words, wrong, capfd):
    assert main.main(words) == 2
    assert wrong in capfd.readouterr().err


TUNNEL = f"""#!{sys.executable}
import os, socket, sys
if "-N" not in sys.argv:
    os.execv("/bin/sh", ["sh", "-c", sys.argv[-1]])
at = next(word for word in sys.argv if word.startswith("-L"))[2:].split(":")
if at[1] == "$CLOSED":
    sys.exit(255)
with socket.create_server((at[0], int(at[1]))) as server:
    server.accept()
"""


@pytest.mark.parametrize(("opens", "code"), [(True, 0), (False, 2)])
def test_a_studys_pages_are_named_as_reached_from_here_once_they_answer(file, capfd, opens, code):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    ssh = file.parent / "bin" / "ssh"
    ssh.write_text(TUNNEL.replace("$CLOSED", "" if opens else port))
    assert main.main(["--cluster", str(file), "ui", "a-1", "--port", port]) == code
    told = capfd.readouterr().out
    assert (f"http://127.0.0.1:{port}/#/a\n" in told) == opens
    assert (f"http://127.0.0.1:{port}/#/b\n" in told) == opens
    assert ":5000/#" not in told


def test_a_server_of_ones_own_and_a_study_that_is_not_there_open_no_tunnel(file, capfd):
    cluster = ["--cluster", str(file)]
    assert main.main([*cluster, "ui", "a-1", "tracker.uri=http://other:8"]) == 0
    assert capfd.readouterr().out == "open http://other:8/#/a\n"
    assert main.main([*cluster, "ui", "none-1"]) == 2
    assert capfd.readouterr().err == "no study\n"
    assert " -L" not in (file.parent / "ssh.log").read_text()


def gone(name):
    raise KeyError(name)


def test_doctor_says_which_image_is_there_gone_or_not_named():
    nodes = {
        "head": {"node_config": {"ImageId": "resolve:ssm:/aws/x"}},
        "old": {"node_config": {"ImageId": "ami-2"}},
        "bare": {"node_config": {}},
    }
    names = {"ami-1": "Base, of 2026-09-30"}
    checks = check_images(nodes, {"/aws/x": "ami-1"}.__getitem__, names.__getitem__)
    assert [check.verdict for check in checks] == ["well", "wrong", "wrong"]
    assert checks[0].found == "ami-1, Base, of 2026-09-30"
    assert "ami-2" in checks[1].found
    assert "Ubuntu 18.04" in checks[2].found
    (check,) = check_images({"head": nodes["head"]}, gone, names.__getitem__)
    assert (check.verdict, check.found) == ("wrong", "resolve:ssm:/aws/x: '/aws/x'")


def test_doctor_of_a_cluster_checks_the_file_before_it_asks_the_head(file, capfd):
    file.write_text(file.read_text().replace("ssh_user:", "sshuser:"))
    assert main.main(["--cluster", str(file), "doctor"]) == 2
    assert "is no cluster file" in capfd.readouterr().err
    assert not (file.parent / "ssh.log").exists()
