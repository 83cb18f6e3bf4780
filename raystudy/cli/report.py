"""``raystudy report``: a study as one page."""

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE, UserError
from raystudy.report import page
from raystudy.report.importance import Kind
from raystudy.report.section import Section
from raystudy.storage.file_names import readable
from raystudy.storage.folders import write_atomically
from raystudy.study.open_tracker import tracker_of_study
from raystudy.study.stored import StoredStudy
from raystudy.study.tracker import Attachment

NAME, FIGURES = "report.html", "figures"


def report(
    study_id: str,
    overrides: Sequence[str],
    *,
    output: str | None = None,
    importance: Kind = "ped_anova",
    as_json: bool = False,
) -> int:
    """Write the report of a study, finished or not, and add it to the study's run in MLflow."""
    study = StoredStudy.open(results_folder(overrides), study_id)
    if study.manifest.confirm is not None:
        searched = study.manifest.confirm.study
        raise UserError(
            f"{study_id} is the confirm of {searched}; its results are in the report of that "
            f"study: '{study.folder.command('report', of=searched)}'."
        )
    path, parts = write(study, output, overrides, importance)
    size = path.stat().st_size
    if as_json:
        written = {"study": study_id, "report": str(path.resolve()), "bytes": size}
        terminal.print_json({**written, "sections": [part.title for part in parts]})
    else:
        line = f"report of {study_id}: {path} ({size / 1000:.0f} kB)"
        terminal.console().print(Text(line), soft_wrap=True)
    return EXIT_DONE


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


def figures(study: StoredStudy) -> dict[str, str]:
    """Return the report's figures: file name without its ending, and SVG."""
    return collected(page.sections(study))


def collected(parts: Sequence[Section]) -> dict[str, str]:
    """Return the figures of all sections."""
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
    svgs = {f"{name}.svg": readable(text).encode() for name, text in collected(parts).items()}
    tracker = tracker_of_study(study.folder, overrides, terminal.warn)
    tracker.attach(study.folder, "study", Attachment(files={NAME: html.encode()}))
    tracker.attach(study.folder, "study", Attachment(files=svgs, folder=FIGURES))
    tracker.close()
