"""What nodes do beside Ray, each step in a home of its own; no cluster is needed."""

import fcntl
import subprocess
from pathlib import Path

import pytest

from raystudy import on_ray

SCRIPT = Path(on_ray.__file__).with_name("node.sh")


@pytest.fixture
def home(tmp_path):
    settings = f"export RAYSTUDY_HOME={tmp_path}/shared/raystudy\nexport RAYSTUDY_NFS=\n"
    (tmp_path / "raystudy-env.sh").write_text(settings)
    return tmp_path


def node(home, *words):
    path = f"{home}/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", SCRIPT, *words],
        env={"HOME": str(home), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def running(home):
    folder = home / "shared/raystudy/studies/swaro-1"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_later_settings_reach_every_shell(home):
    (home / ".bashrc").write_text("[ -z x ] || return\n")
    for value in ("one", "two"):
        (home / "raystudy-env.sh").write_text(f"export RAYSTUDY_HOME={value}\n")
        node(home, "environment")
    assert (home / ".bashrc").read_text().count("raystudy-env.sh") == 1
    assert (home / "raystudy-env.sh").stat().st_mode & 0o777 == 0o600
    shell = ["bash", "-c", ". ~/.profile; echo $RAYSTUDY_HOME $RAY_AUTH_MODE"]
    said = subprocess.run(
        shell, env={"HOME": str(home)}, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["two", "token"]


@pytest.mark.usefixtures("running")
def test_ray_is_left_alone_while_a_study_runs_and_the_last_words_say_so(home):
    assert node(home, "unless_running", "echo", "restarted") == ""
    (home / "raystudy-env.sh").open("a").write("setsid() { :; }\n")  # no server of MLflow
    assert "swaro-1 runs here, so Ray was NOT restarted" in node(home, "after_head")


def test_ray_is_restarted_when_no_study_runs(home):
    folder = home / "shared/raystudy/studies/ended-1"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    assert node(home, "unless_running", "echo", "restarted") == "restarted\n"


def start_of(home, seconds, succeeds_at):
    """Define ``start``, which takes so long by the script's clock, and have no sleep take long."""
    start = f"SECONDS=$((SECONDS + {seconds})); echo >> ~/tries; "
    start += f"[ $(wc -l < ~/tries) = {succeeds_at} ]"
    with (home / "raystudy-env.sh").open("a") as settings:
        settings.write(f"start() {{ {start}; }}\nsleep() {{ :; }}\n")


def test_a_start_that_fails_on_a_busy_machine_is_tried_again_for_an_hour(home):
    start_of(home, seconds=40, succeeds_at=30)
    node(home, "patiently", "start")
    assert (home / "tries").read_text() == "\n" * 30


@pytest.mark.parametrize(("seconds", "tries"), [(0, 5), (600, 6)])
def test_a_start_that_cannot_succeed_is_given_up(home, seconds, tries):
    start_of(home, seconds, succeeds_at=30)
    with pytest.raises(AssertionError, match=r"start failed on .* after"):
        node(home, "patiently", "start")
    assert (home / "tries").read_text() == "\n" * tries


def test_a_folder_that_is_not_the_heads_is_refused(home):
    (home / ".ray").mkdir()
    (home / ".ray/auth_token").write_text("a")
    (home / "shared/raystudy").mkdir(parents=True)
    with pytest.raises(AssertionError, match="is not the folder that the head has there"):
        node(home, "before_worker", "10.0.0.1")
    (home / "shared/raystudy/.cluster").write_text(node(home, "fingerprint"))
    node(home, "before_worker", "10.0.0.1")


def test_the_token_is_made_private_wherever_it_came_from(home):
    (home / ".ray").mkdir(mode=0o755)
    (home / ".ray/auth_token").touch(mode=0o644)
    node(home, "private_token")
    assert (home / ".ray").stat().st_mode & 0o777 == 0o700
    assert (home / ".ray/auth_token").stat().st_mode & 0o777 == 0o600


def test_workers_get_the_image_of_the_head(home):
    (home / "bin").mkdir()
    curl = home / "bin/curl"
    curl.write_text("#!/bin/sh\ncase $* in *ami-id) echo ami-1;; *) echo key;; esac\n")
    curl.chmod(0o755)
    config = home / "ray_bootstrap_config.yaml"
    config.write_text('{"a": {"ImageId": "resolve:ssm:/aws/x/ami-id"}, "b": {"ImageId": "ami-2"}}')
    node(home, "pin_image")
    assert config.read_text() == '{"a": {"ImageId": "ami-1"}, "b": {"ImageId": "ami-2"}}'
