"""Nothing of a local Ray outlives it."""

import os
import subprocess
import sys

from busy import PATIENCE_S

from raystudy.on_ray.orphans import MARK, ending_orphans, marked


def sleeper(folder):
    return subprocess.Popen(
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(3600)"],
        env={**os.environ, MARK: str(folder)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def test_what_bears_the_mark_is_ended_and_nothing_else(tmp_path):
    stray, other = sleeper(tmp_path / "a"), sleeper(tmp_path / "b")
    for process in (stray, other):
        assert process.stdout.readline() == b"up\n"
    with ending_orphans(tmp_path / "a"):
        assert marked(tmp_path / "a") == [stray.pid]
    assert stray.wait(PATIENCE_S) == -9
    assert other.poll() is None
    other.kill()
    other.wait()
