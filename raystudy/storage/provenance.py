"""Where results come from: code, packages, user and machine."""

import getpass
import importlib.metadata
import platform
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import raystudy
from raystudy.storage.redaction import redact

PACKAGES = (
    "torch",
    "torchvision",
    "ray",
    "optuna",
    "mlflow",
    "hydra-core",
    "numpy",
    "scikit-learn",
)
GIT_SECONDS = 2  # a work tree on a slow network disk must not hold a study up


@dataclass(frozen=True)
class GitState:
    """The commit a work tree is at.

    Parameters
    ----------
    commit : str
        Full hash.
    branch : str
        ``HEAD`` if none is checked out.
    dirty : bool
        Whether tracked files differ from the commit.
    remote : str
        URL of ``origin`` without credentials; empty if there is none.
    """

    commit: str
    branch: str
    dirty: bool
    remote: str = ""


@dataclass(frozen=True)
class Provenance:
    """What to note beside a result so that it can be traced back.

    Parameters
    ----------
    user, host : str
    device : str
        This machine's GPUs, or its processor.
    python : str
    versions : mapping of str to str
        Installed packages that results depend on, raystudy first.
    git : GitState, optional
    """

    user: str
    host: str
    device: str
    python: str
    versions: Mapping[str, str] = field(default_factory=dict)
    git: GitState | None = None


def collect() -> Provenance:
    """Look at this process, its machine and the code's work tree."""
    return Provenance(
        user=user(),
        host=socket.gethostname(),
        device=device(),
        python=platform.python_version(),
        versions=versions(),
        git=git_state(code_folder()),
    )


def user() -> str:
    """Return the login name, also where the account has none (as in some containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def versions() -> dict[str, str]:
    """Return the versions of raystudy and of the packages its results depend on."""
    found = {"raystudy": raystudy.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def device(proc: Path = Path("/proc")) -> str:
    """Return this machine's GPUs, or its processor, without importing torch."""
    if names := gpus(proc):
        return names
    try:
        return _entry((proc / "cpuinfo").read_text(), "model name") or platform.machine()
    except OSError:
        return platform.machine()


def gpus(proc: Path = Path("/proc")) -> str:
    """Return how many of which GPUs this machine has; empty if it has none."""
    names = [
        _entry(path.read_text(), "Model")
        for path in sorted(proc.glob("driver/nvidia/gpus/*/information"))
    ]
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def _entry(text: str, key: str) -> str:
    """Return what follows the first ``key :`` in a file of such lines; empty if it is not there."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def code_folder() -> Path:
    """Return raystudy's own folder if it is a checkout, else the working directory."""
    package = Path(__file__).parent
    # An installed copy may be in a virtual environment inside someone else's work tree.
    return package if _git(package, "ls-files", "__init__.py") else Path.cwd()


def git_state(folder: Path) -> GitState | None:
    """Return the state of the work tree that `folder` is in; None if it is in none."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    return GitState(
        commit=commit,
        branch=_git(folder, "rev-parse", "--abbrev-ref", "HEAD") or "HEAD",
        dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=no")),
        remote=redact(_git(folder, "config", "--get", "remote.origin.url") or ""),
    )


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
