"""``raystudy completion``: scripts for shells, and the words they ask for."""

import argparse
import sys
from collections.abc import Sequence

from raystudy.cli.shell_completion import SCRIPTS
from raystudy.config import catalogue

OF_A_STUDY = (
    "resume",
    "extend",
    "pause",
    "stop",
    "status",
    "best",
    "logs",
    "compare",
    "diff",
    "export",
    "look",
    "confirm",
    "report",
    "rm",
    "sync",
)
OF_TRIALS = ("diff", "replay", "look", "evaluate", "export")
OF_SEVERAL = ("compare", "diff", "evaluate")
VERBS = (
    "sweep",
    "plan",
    "train",
    "replay",
    "evaluate",
    *OF_A_STUDY,
    "studies",
    "show",
    "list",
    "ui",
    "doctor",
    "completion",
)


def print_words() -> None:
    """Print what may stand for the last word typed (the command ``raystudy-words``)."""
    for word in words(sys.argv[1:]):
        sys.stdout.write(f"{word}\n")


def words(typed: Sequence[str]) -> list[str]:
    """Return the completions of the last of the words typed after ``raystudy``."""
    *before, last = typed or [""]
    return sorted(word for word in _candidates(before, last) if word.startswith(last))


def _candidates(before: Sequence[str], last: str) -> Sequence[str]:
    if not before:
        return VERBS
    verb = before[0]
    options = _options(verb)
    if last.startswith("-"):
        return tuple(options)
    if before[-1] in options and options[before[-1]]:
        return options[before[-1]]
    if verb == "completion":
        return tuple(SCRIPTS)
    if verb in OF_TRIALS and "/" in last:
        study_id = last.partition("/")[0]
        return [f"{study_id}/{number}" for number in _trials(study_id)]
    if verb == "logs" and len(before) == 2:
        return _trials(before[1])
    if verb in OF_SEVERAL or (verb in (*OF_A_STUDY, *OF_TRIALS) and len(before) == 1):
        return [*_study_ids(), *(_suites() if verb == "evaluate" else [])]
    return _settings(verb, before, last)


def _settings(verb: str, before: Sequence[str], last: str) -> Sequence[str]:
    """Return names of studies, then settings and what they may be."""
    if verb not in ("sweep", "plan", "train", "show", "doctor"):
        return ()
    from raystudy.config import compose

    if len(before) == 1:
        return catalogue.study_names()
    group = last.split("=", 1)[0]
    if "=" in last and group in catalogue.GROUPS:
        return [f"{group}={option}" for option in catalogue.options(group)]
    return [f"{path}=" for path in compose.settings(before[1])]


def _options(verb: str) -> dict[str, Sequence[str]]:
    """Return a verb's options, each with the values it may have if they are few."""
    from raystudy.cli.commands import table

    parser = argparse.ArgumentParser()
    for function, add_arguments in table.VERBS.items():
        if function.__name__.rstrip("_") == verb:
            add_arguments(parser)
    return {
        text: tuple(action.choices or ())
        for action in parser._actions
        for text in action.option_strings
    }


def _suites() -> list[str]:

    return [f"suite={name}" for name in catalogue.options("suite")]


def _study_ids() -> list[str]:
    from raystudy.storage import output_dir

    return [path.parent.name for path in output_dir.default().glob("studies/*/study.json")]


def _trials(study_id: str) -> list[str]:
    from raystudy.storage import output_dir

    folders = output_dir.default().glob(f"studies/{study_id}/trials/[0-9]*")
    return [str(int(folder.name)) for folder in folders]
