"""No process of ours imports from the folder the user happens to work in.

A ``queue.py`` or ``mlflow.py`` there would take the place of the module of that name.
"""

import os
import sys
from pathlib import Path


def python(*arguments: str) -> list[str]:
    """Return the command of a Python process; ``-P`` keeps its working folder out of it."""
    return [sys.executable, "-P", *arguments]


def forget_working_folder() -> None:
    """Take the working folder off this process's path, and keep it off its children's.

    ``python -m`` puts it there, and an empty entry of ``PYTHONPATH`` (``$PYTHONPATH:more`` where
    the variable is not set). What the user named stays, and where raystudy itself is.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if named := [entry for entry in given if entry]:
        os.environ["PYTHONPATH"] = os.pathsep.join(named)
    else:
        os.environ.pop("PYTHONPATH", None)
    meant = {Path(entry).absolute() for entry in named} | {Path(__file__).parents[1]}
    first = next((i for i, entry in enumerate(sys.path) if entry.endswith(".zip")), 0)
    # Behind the standard library is what installed packages add.
    front = [entry for entry in sys.path[:first] if _is_elsewhere(entry) or Path(entry) in meant]
    sys.path[:first] = front


def _is_elsewhere(entry: str) -> bool:
    try:
        return bool(entry) and not Path(entry).samefile(Path.cwd())
    except OSError:  # either is gone
        return True
