"""A report as a file, and in the study's tracker."""

from collections.abc import Sequence
from pathlib import Path

from raystudy import terminal
from raystudy.errors import UserError
from raystudy.report import page
from raystudy.report.importance import Kind
from raystudy.report.section import Section
from raystudy.storage.file_names import readable
from raystudy.storage.folders import write_atomically
from raystudy.study.open_tracker import tracker_of_study
from raystudy.study.stored import StoredStudy
from raystudy.study.tracker import Attachment

NAME, FIGURES = "report.html", "figures"


def write(
    study: StoredStudy, output: str | None, overrides: Sequence[str] = (), kind: Kind = "ped_anova"
) -> tuple[Path, list[Section]]:
    """Write the page and add it to the study's run; return where it is, and its sections."""
    path = _path(study, output)
    parts = page.sections(study, kind)
    html = readable(page.render(study, parts))
    write_atomically(path, html)
    _attach(study, overrides, html, parts)
    return path, parts


def figures(parts: Sequence[Section]) -> dict[str, str]:
    """Return the figures of all sections: file name without its ending, and SVG."""
    return {name: figure for part in parts for name, figure in part.figures.items()}


def _path(study: StoredStudy, output: str | None) -> Path:
    if output is None:
        return study.folder.path / NAME
    path = Path(output).expanduser()
    if path.is_dir():
        return path / NAME
    if not path.parent.is_dir():
        raise UserError(f"--output: there is no folder {path.parent}; create it first.")
    return path


def _attach(
    study: StoredStudy, overrides: Sequence[str], html: str, parts: Sequence[Section]
) -> None:
    """Add the report and its figures to the study in its tracker."""
    svgs = {f"{name}.svg": readable(text).encode() for name, text in figures(parts).items()}
    tracker = tracker_of_study(study.folder, overrides, terminal.warn)
    tracker.attach(study.folder, "study", Attachment(files={NAME: html.encode()}))
    tracker.attach(study.folder, "study", Attachment(files=svgs, folder=FIGURES))
    tracker.close()
