"""Where everything for the user is printed."""

import json
import sys
from typing import Any

from rich.console import Console

WIDE = 1000  # a pipe or a file breaks no lines


def print_json(value: Any) -> None:
    """Print plain values for other programs."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def console(*, stderr: bool = False) -> Console:
    """Return the user's terminal, or whatever stands in its place."""
    file = sys.stderr if stderr else sys.stdout
    return Console(highlight=False, stderr=stderr, width=None if file.isatty() else WIDE)
