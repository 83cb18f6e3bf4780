"""Where results are, unless a study says otherwise, and what a path to them means."""

import os
from pathlib import Path

from raystudy.errors import UserError


def default() -> Path:
    """Return where results are unless ``output_dir`` says otherwise."""
    if own := os.environ.get("RAYSTUDY_HOME"):
        return Path(own)
    try:
        return Path.home() / "raystudy"
    except RuntimeError as error:  # no HOME, and a user whom the system does not know
        raise UserError(
            "output_dir: there is no home folder for the results; set the variable RAYSTUDY_HOME, "
            "or write output_dir=FOLDER."
        ) from error


def resolve(output_dir: str | Path) -> Path:
    """Return the folder that a value of ``output_dir`` names."""
    return Path(output_dir).expanduser().resolve()
