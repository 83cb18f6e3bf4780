"""Content of what was added to runs, kept in the study's folder until MLflow has it, and after.

A copy, since the original may be written anew or deleted before MLflow answers. One for each name:
what is added again takes the place of what was there, here as in MLflow.
"""

from collections.abc import Mapping
from pathlib import Path

from raystudy.storage import disk
from raystudy.storage.folders import StudyFolder
from raystudy.study.tracker import RunKey


def place(folder: StudyFolder, owner: str, subfolder: str, name: str) -> Path:
    """Return where a file of a run ("study", or a trial's number) is kept."""
    return folder.path / "mlflow.files" / owner / subfolder / name


def keep(
    folder: StudyFolder, key: RunKey, subfolder: str, files: Mapping[str, bytes | Path]
) -> None:
    """Copy files into the study's folder, each whole or not at all."""
    for name, content in files.items():
        path = place(folder, str(key), subfolder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with disk.replacing(path) as copy:
            copy.write(content.read_bytes() if isinstance(content, Path) else content)
