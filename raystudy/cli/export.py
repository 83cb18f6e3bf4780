"""``raystudy export``: a study's trials or a race's results as a table, or an encoder."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raystudy import terminal
from raystudy.config.output_dir import results_folder
from raystudy.confirm import latex
from raystudy.errors import EXIT_DONE, UserError
from raystudy.storage.file_names import readable
from raystudy.study import confirmed, plain
from raystudy.study.stored import StoredStudy

if TYPE_CHECKING:
    import pandas as pd


def export(study_id: str, overrides: Sequence[str], *, file_format: str, output: str | None) -> int:
    """Write a study's trials or the results of a confirm as a table, or an encoder's weights."""
    if file_format == "safetensors":
        from raystudy.evaluation.export_encoder import export_weights

        return export_weights(study_id, overrides, output=output)
    import pandas as pd

    study = StoredStudy.open(results_folder(overrides), study_id)
    race = _race(study) if study.manifest.kind == "confirm" else None
    table = pd.DataFrame(plain.rows(study) if race is None else [*latex.rows(race)])
    table = table.map(lambda cell: readable(cell) if isinstance(cell, str) else cell)
    if file_format == "parquet":
        output = output or f"{study_id}.parquet"
        table.to_parquet(output)
    else:
        text = _as_text(study, race, table, file_format)
        if output is None:
            sys.stdout.write(text)
            return EXIT_DONE
        Path(output).write_text(readable(text), encoding="utf-8")
    terminal.console(stderr=True).print(f"{len(table)} rows in {output}")
    return EXIT_DONE


def _race(study: StoredStudy) -> confirmed.Race:
    race = confirmed.read_race(study.folder.path)
    if race is None:
        raise UserError(
            f"{study.id} is not finished; continue with '{study.folder.command('resume')}', or see "
            f"the runs so far with '{study.folder.command('status', '--json')}'."
        )
    return race


def _as_text(
    study: StoredStudy, race: confirmed.Race | None, table: "pd.DataFrame", file_format: str
) -> str:
    if file_format == "csv":
        return str(table.to_csv(index=False))
    if file_format == "json":
        return f"{table.to_json(orient='records', indent=2)}\n"
    if race is not None:
        return latex.latex(race, f"{study.manifest.name} on {study.data}")
    return str(_for_paper(table).to_latex(index=False, escape=True, na_rep="-"))


def _for_paper(table: "pd.DataFrame") -> "pd.DataFrame":
    """Drop the columns that papers do not print, and round the rest."""
    left_out = ("train/", "cost/", "time/", "reason", "host")
    shown = [name for name in table if not name.startswith(left_out)]
    return table[shown].apply(
        lambda column: column.map("{:.4g}".format) if column.dtype.kind == "f" else column
    )
