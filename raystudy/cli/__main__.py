# PYTHON_ARGCOMPLETE_OK
"""The command: nothing is imported before the working folder is off the path."""

import sys

from raystudy.config import import_path

import_path.forget_working_folder()

from raystudy.cli.main import main  # noqa: E402

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
