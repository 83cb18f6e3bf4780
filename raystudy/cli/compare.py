"""``raystudy compare`` and ``diff``: studies and trials side by side."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from raystudy import terminal
from raystudy.cli.status import values
from raystudy.config import compose, scopes
from raystudy.config.budget import MEASURES
from raystudy.config.output_dir import results_folder
from raystudy.config.scopes import Scope
from raystudy.config.spec import RECIPE, as_test
from raystudy.confirm import across_studies
from raystudy.errors import EXIT_DONE, UserError
from raystudy.search import pareto
from raystudy.study import comparability, confirmed
from raystudy.study.replay import trial_name, trial_overrides
from raystudy.study.stored import StoredStudy, find_run
from raystudy.trial.figures import FIGURES
from raystudy.trial.figures import words as machine_words
from raystudy.trial.info import TrialSummary

COSTS = (
    "cost/updates",
    "cost/images",
    "cost/forward_passes",
    "cost/backward_passes",
    "cost/flops",
)


TESTS = (
    "winners of the studies' races on fresh seeds and test images, paired by seed; p-values with "
    "Holm's correction for all of these tests"
)
NARROW, WINNERS_BESIDE = 80, 110  # columns
NEXT = "next: run 'raystudy confirm' on each study to test them on common fresh seeds"


def compare(
    study_ids: Sequence[str],
    overrides: Sequence[str],
    *,
    as_json: bool,
    force: bool = False,
    budget: str | None = None,
) -> int:
    """Show the best trial and the recipe of several studies, and what they cost.

    Parameters
    ----------
    study_ids : sequence of str
    overrides : sequence of str
    as_json : bool
    force : bool
        Compare even if measurement settings differ.
    budget : str, optional
        Such as ``passes=1e7``: only the first trials of each study whose total cost is within it.

    Raises
    ------
    UserError
        If the measurement settings of the studies differ.
    """
    settings = [word for word in study_ids if "=" in word]
    study_ids = [word for word in study_ids if "=" not in word]
    if not study_ids:
        raise UserError("compare needs studies, such as 'raystudy compare swaro-1 rocl-1'.")
    output_dir = results_folder([*settings, *overrides])
    studies = [_search(output_dir, study_id) for study_id in study_ids]
    difference = comparability.difference_of(studies)
    if difference and not force:
        raise UserError(f"{difference}; --force compares them anyway.")
    limit = _budget(budget) if budget else None
    entries = [_entry(study, limit) for study in studies]
    tests = _tests(studies, force=force)
    for entry in entries:
        entry["tests"] = [test for test in tests if entry["study"] in test["studies"]]
    if as_json:
        terminal.print_json(entries)
        return EXIT_DONE
    console = terminal.console()
    console.print(_table(entries, narrow=console.width < NARROW))
    if limit is not None:
        console.print(f"only the first trials of each study, up to a total of {budget}")
    if difference:
        console.print(f"{difference}: the numbers are not comparable")
    console.print("one seed each, on validation images; not conclusive")
    for entry in entries:
        if words := machine_words(entry["cost"]):
            console.print(f"{entry['study']}/{entry['trial']} took {words}", soft_wrap=True)
    if tests:
        console.print(across_studies.table(tests, stacked=console.width < WINNERS_BESIDE))
        console.print(TESTS)
    elif len(studies) > 1:
        console.print(NEXT)
    return EXIT_DONE


def _search(output_dir: Path, study_id: str) -> StoredStudy:
    study = StoredStudy.open(output_dir, study_id)
    if study.manifest.kind == "confirm":
        raise UserError(
            f"{study.id} is a confirm, whose runs are one seed each; compare takes searches. "
            f"'{study.folder.command('best')}' shows its conclusion."
        )
    if study.manifest.reproduce is not None:
        raise UserError(
            f"{study.id} is a reproduction of {study.manifest.reproduce.table}; compare takes "
            f"searches. 'raystudy reproduce {study.manifest.reproduce.table} --from {study.id}' "
            f"shows its verdicts."
        )
    return study


def _table(entries: Sequence[Mapping[str, Any]], *, narrow: bool) -> Table:
    rows = [_row(entry) for entry in entries]
    titles = [title for title in rows[0] if not narrow or title not in ("data", "FLOPs", "seconds")]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        is_word = title in ("study", "data", "recipe", "best")
        whole = title not in ("recipe", "best")
        table.add_column(title, justify="left" if is_word else "right", no_wrap=whole)
    for row in rows:
        table.add_row(*(row[title] for title in titles))
    return table


def _row(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return a study's cells by their titles; the last three are of its best trial."""
    return {
        "study": entry["study"],
        "data": entry["data"],
        "trials": f"{entry['ended']}/{entry['num_trials']}",
        "recipe": values(entry["recipe"]),
        "best": values(entry["best"]),
        "trial": str(entry["trial"]),
        "FLOPs": f"{entry['cost']['cost/flops']:.3g}" if "cost/flops" in entry["cost"] else "",
        "seconds": f"{entry['seconds']:.0f}",
    }


def _tests(studies: Sequence[StoredStudy], *, force: bool) -> list[dict[str, Any]]:
    """Return paired tests of the studies' winners if all races have the same objective."""
    races = {study.id: confirmed.read_race(study.folder.path) for study in studies}
    raced = {study: race for study, race in races.items() if race is not None}
    objective = studies[0].spec.objectives[0]
    same = {study.spec.objectives[0] for study in studies} == {objective}
    if len(raced) < len(studies) or not same:
        return []
    if len({race.get("measured") for race in raced.values()}) > 1 and not force:
        return []
    return across_studies.tests(raced, objective, as_test(objective.metric))


def _budget(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    known = (*MEASURES, "seconds")
    try:
        limit = float(amount)
    except ValueError:
        limit = math.nan
    if name not in known or not limit > 0:
        raise UserError(
            f"--budget is NAME=AMOUNT with NAME one of {', '.join(known)} and AMOUNT above 0, such "
            f"as passes=1e7; got '{text}'."
        )
    return name, limit


def _within(study: StoredStudy, limit: tuple[str, float] | None) -> list[TrialSummary]:
    """Return the trials that ended, or the first of them whose total cost is within a budget."""
    if limit is None:
        return study.ended
    (name, most), spent, within = limit, 0.0, []
    for trial in study.ended:
        cost = [trial.metrics.get(measure, 0.0) for measure in MEASURES.get(name, ())]
        spent += trial.seconds if name == "seconds" else sum(cost)
        if spent > most:
            break
        within.append(trial)
    return within


def _entry(study: StoredStudy, limit: tuple[str, float] | None = None) -> dict[str, Any]:
    trials = _within(study, limit)
    front = pareto.front(trials, study.spec.objectives)
    best = front[0] if front else None
    recipe = [s for s in trials if s.number == RECIPE and s.state == "complete"]
    metrics = best.metrics if best else {}
    return {
        "study": study.id,
        "data": study.info.dataset,
        "fingerprint": comparability.fingerprint(study),
        "ended": len(trials),
        "num_trials": study.spec.num_trials,
        "recipe": dict(recipe[0].last) if recipe else {},
        "best": dict(best.last) if best else {},
        "trial": best.number if best else "-",
        "cost": {name: metrics[name] for name in (*COSTS, *FIGURES) if name in metrics},
        "seconds": best.seconds if best else 0.0,
    }


def diff(runs: Sequence[str], overrides: Sequence[str], *, as_json: bool) -> int:
    """Show the settings and the measures in which two trials differ."""
    output_dir = results_folder(overrides)
    (one, ones), (other, others) = (_settings_and_measures(output_dir, run) for run in runs)
    differing = {
        key: [one.get(key), other.get(key)]
        for key in dict.fromkeys([*one, *other])
        if one.get(key) != other.get(key)
    }
    measures = {key: [ones.get(key), others.get(key)] for key in dict.fromkeys([*ones, *others])}
    if as_json:
        terminal.print_json({"runs": list(runs), "settings": differing, "measures": measures})
        return EXIT_DONE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", *runs):
        table.add_column(title)
    for key, pair in (differing | measures).items():
        table.add_row(key, *(_readable(value) for value in pair))
    terminal.console().print(table)
    return EXIT_DONE


def _settings_and_measures(
    output_dir: Path, run: str
) -> tuple[dict[str, object], Mapping[str, float]]:
    study, trial = find_run(output_dir, run)
    manifest = study.manifest
    name = trial_name(study, trial)
    settings = compose.load(name, trial_overrides(study, trial), manifest.search_path)
    leaves = compose.flatten(settings)
    # Parts of the method are also settings of their own.
    twice = {f"method.{path}" for path in leaves}
    unique = {
        path: value
        for path, value in leaves.items()
        if path not in twice and scopes.of(path) is not Scope.SPACE
    }
    return unique, trial.summary.metrics


def _readable(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)
