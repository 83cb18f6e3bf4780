"""``raystudy report``: a study as one page."""

from collections.abc import Sequence

from rich.text import Text

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE, UserError
from raystudy.report.importance import Kind
from raystudy.report.write import write
from raystudy.study.stored import StoredStudy


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
