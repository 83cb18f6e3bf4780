"""The hosts that ``bed.sh`` makes of namespaces, for tests."""

import os
import shutil
import subprocess
import time
from pathlib import Path

SCRIPT = Path(__file__).with_name("bed.sh")
TOOLS = (
    "unshare",
    "ip",
    "nsenter",
    "runuser",
    "sshd",
    "ssh-keygen",
    "rsync",
    "tmux",
    "git",
    "flock",
)
PATHS = f"{os.environ['PATH']}:/usr/sbin:/sbin"
PROBE = """
mount --make-rprivate / && mount -t tmpfs probe /mnt && mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work probe /mnt/root
ip link add type veth && ip link add type bridge
"""
POLL_S = 2.0
# Hosts share the cores of one machine, perhaps with other tests.
SMALL = "--num-cpus=1 --memory=3000000000 --object-store-memory=200000000"


def missing():
    """Return why no hosts can be made here, empty if they can."""
    absent = [tool for tool in TOOLS if shutil.which(tool, path=PATHS) is None]
    if absent:
        return f"without {', '.join(absent)}"
    if os.geteuid():
        return "not root"
    tried = subprocess.run(
        [*["unshare", "--net", "--mount", "--pid", "--fork", "--uts", "--ipc", "sh", "-ec"], PROBE],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": PATHS},
    )
    return tried.stderr.strip() if tried.returncode else ""


class Hosts:
    """A laptop ``lap``, a ``head`` and workers ``w1``, ``w2``, ..., once ``bed.sh up`` made them.

    Parameters
    ----------
    folder : Path
        Short: Ray's sockets are in it.
    """

    def __init__(self, folder):
        self.folder = folder

    def do(self, *words, user="you", patience_s=600):
        """Run ``bed.sh`` and return what it printed."""
        done = subprocess.run(
            [SCRIPT, *words],
            env={**os.environ, "BED": str(self.folder), "BED_USER": user, "PATH": PATHS},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=patience_s,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout[-4000:]}"
        return done.stdout

    def on(self, host, command, **options):
        """Run a command in a login shell of a host and return what it printed."""
        return self.do("in", host, command, **options)

    def wait_until(self, claim, patience_s=600):
        """Poll until ``claim()`` is true."""
        deadline = time.monotonic() + patience_s
        while not claim():
            assert time.monotonic() < deadline, f"not within {patience_s:g} s: {claim.__name__}"
            time.sleep(POLL_S)

    def close(self):
        """End every process and remove every file."""
        self.do("down")
        shutil.rmtree(self.folder)
