"""``raystudy reproduce``: a paper's table as a study, with verdicts on its cells and claims."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from raystudy import terminal
from raystudy.config.output_dir import results_folder_among
from raystudy.errors import EXIT_DONE, UserError
from raystudy.evaluation import register
from raystudy.evaluation.published_table import Table
from raystudy.reproduce import begin, existing, outputs, overview, references, run
from raystudy.reproduce.arms import SMOKE
from raystudy.storage.file_names import readable
from raystudy.storage.folders import open_study_folder, write_atomically


def reproduce(
    table: str | None,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    tier: str,
    studies: Sequence[str] = (),
    seeds: Sequence[str] = (),
    rows: Sequence[str] = (),
    page: str | None = None,
    save_reference: bool = False,
    as_json: bool = False,
) -> int:
    """Run a tier of a table, judge studies that exist, or list all tables.

    Parameters
    ----------
    table : str, optional
        Such as ``swaro/table8``; without one all are listed.
    overrides : sequence of str
        Of every training: departures from the paper. And of the study: ``study.id``,
        ``study.budget``, of scaling, tracker, results.
    search_path : sequence of str
    tier : str
    studies : sequence of str
        Judge these, and run nothing.
    seeds : sequence of str
        Run these instead of the tier's own.
    rows : sequence of str
        Train these only.
    page : str, optional
        Write one page over all tables to this file.
    save_reference : bool
        Keep what was run as the reference of this table and tier.
    as_json : bool
    """
    words = [*([table] if table and "=" in table else []), *studies, *seeds, *overrides]
    settings = [word for word in words if "=" in word]
    studies, chosen = ([word for word in some if "=" not in word] for some in (studies, seeds))
    table = None if table and "=" in table else table
    if page is not None or table is None:
        return _overview(settings, search_path, page, as_json=as_json)
    found = register.read(table, search_path)
    settings += [word for word in rows if _is_setting(word, found)]
    rows = [word for word in rows if not _is_setting(word, found)]
    console = terminal.console(stderr=as_json)
    if studies:
        return _judge(console, found, studies, settings, search_path, save_reference, as_json)
    _refuse_part_of_smoke(tier, chosen, rows)
    code, folder = begin.start(
        console,
        found,
        tier,
        settings,
        search_path,
        seeds=_seeds(chosen),
        rows=rows,
        as_json=as_json,
    )
    if save_reference and (folder.path / run.FILE).is_file():
        _save_reference(console, json.loads((folder.path / run.FILE).read_text()), search_path)
        return EXIT_DONE
    return code


def _is_setting(word: str, table: Table) -> bool:
    """Return whether a word after --row is a setting; rows are called K=25, too."""
    name, equals, _ = word.partition("=")
    return bool(equals) and not any(row.startswith(f"{name}=") for row in table.rows)


def _refuse_part_of_smoke(tier: str, seeds: Sequence[str], rows: Sequence[str]) -> None:
    if tier == SMOKE and (seeds or rows):
        what = "--seed" if seeds else "--row"
        raise UserError(
            f"{what}: the smoke tier repeats its reference bit for bit, all of it under its own "
            f"seed; choose --tier reduced or full."
        )


def _seeds(words: Sequence[str]) -> list[int]:
    """Return the seeds that were asked for."""
    wrong = [word for word in words if not word.isdigit() or words.count(word) > 1]
    if wrong:
        raise UserError(f"--seed takes whole numbers, each once, such as 3 4 5; got {wrong[0]}.")
    return [int(word) for word in words]


def _overview(
    settings: Sequence[str], search_path: Sequence[str], page: str | None, *, as_json: bool
) -> int:
    output_dir = results_folder_among(settings)
    if page is not None:
        path = Path(page).expanduser()
        if path.is_dir() or not path.parent.is_dir():
            raise UserError(f"--page: {path} is no file in a folder that exists; name one.")
        write_atomically(path, readable(overview.page(output_dir, search_path)))
        terminal.console().print(str(path))
        return EXIT_DONE
    listed = overview.entries(output_dir, search_path)
    if as_json:
        terminal.print_json(listed)
    else:
        overview.show(terminal.console(), listed)
    return EXIT_DONE


def _judge(
    console: Console,
    table: Table,
    ids: Sequence[str],
    settings: Sequence[str],
    search_path: Sequence[str],
    save_reference: bool,
    as_json: bool,
) -> int:
    output_dir = results_folder_among(settings)
    twice = [one for one in dict.fromkeys(ids) if ids.count(one) > 1]
    if twice:
        raise UserError(f"--from: {twice[0]} is given twice, which counts once; give it once.")
    found = existing.judge(table, [open_study_folder(output_dir, one) for one in ids], search_path)
    reference = references.read(found["table"], found["tier"], search_path)
    found["reference"] = references.compare(found, reference)
    outputs.show(console, found, as_json=as_json)
    if save_reference:
        _save_reference(console, found, search_path)
    return EXIT_DONE


def _save_reference(console: Console, found: dict[str, Any], search_path: Sequence[str]) -> None:
    console.print(f"reference: {references.save(found, search_path)}")
