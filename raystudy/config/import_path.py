"""Processes of ours: what they import, and how long a busy machine may take to start one.

None imports from the folder the user happens to work in: a ``queue.py`` or ``mlflow.py`` there
would take the place of the module of that name. Here nothing is imported but what Python itself
has imported when it starts, for until `forget_working_folder` has run it could come from there.
"""

import os
import sys

# Ten times Ray's own 30 s, which a load of 18 used up.
PATIENCE_S = 300.0


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
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    meant = {ours, *map(os.path.abspath, named)}
    first = next((i for i, entry in enumerate(sys.path) if entry.endswith(".zip")), 0)
    # After the standard library come installed packages.
    front = [entry for entry in sys.path[:first] if _is_elsewhere(entry) or entry in meant]
    sys.path[:first] = front


def _is_elsewhere(entry: str) -> bool:
    try:
        return bool(entry) and not os.path.samefile(entry, os.curdir)  # noqa: PTH121
    except OSError:  # either is gone
        return True
