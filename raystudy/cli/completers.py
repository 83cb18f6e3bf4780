"""What completes the arguments of the command line.

argcomplete calls each with the `prefix` of the word being typed and the `parsed_args` before it,
and keeps what starts with the prefix. Imports are inside the functions, because ``--help`` loads
this file.
"""

from argparse import Namespace
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

Completer = Callable[..., Collection[str]]


def study_names(parsed_args: Namespace, **_: object) -> list[str]:
    """Return the names of studies, those of ``--search-path`` included."""
    from raystudy.config import catalogue

    return catalogue.study_names(parsed_args.search_path)


def tables(parsed_args: Namespace, **_: object) -> list[str]:
    """Return the tables and figures of ``raystudy reproduce``."""
    from raystudy.evaluation import register

    return register.names(_search_path(parsed_args))


def study_ids(parsed_args: Namespace, **_: object) -> list[str]:
    """Return the ids of the studies in the results folder."""
    return sorted(path.parent.name for path in _results(parsed_args, "*/study.json"))


def trial_numbers(parsed_args: Namespace, **_: object) -> list[str]:
    """Return the numbers of the trials of the study named before."""
    return _trial_numbers(parsed_args, parsed_args.study_id)


def runs(prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
    """Return ids of studies, and STUDY/TRIAL once the study is typed."""
    study_id, slash, _trial = prefix.partition("/")
    if not slash:
        return study_ids(parsed_args)
    return [f"{study_id}/{number}" for number in _trial_numbers(parsed_args, study_id)]


def runs_and_suites(prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
    """Return what `runs` returns, and the suites of ``raystudy evaluate``."""
    return [*runs(prefix, parsed_args), *suites(parsed_args)]


def suites(parsed_args: Namespace, **_: object) -> list[str]:
    """Return the suites and downstream tasks of ``raystudy evaluate``, as settings."""
    from raystudy.config import catalogue

    tasks = catalogue.downstream_tasks(_search_path(parsed_args))
    return [*_options("suite", parsed_args), *(f"protocol={name}" for name in tasks)]


def settings(prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
    """Return the settings of the study named before, or the options of the group typed."""
    from raystudy.config import catalogue, compose

    group, equals, _option = prefix.partition("=")
    if equals:
        return _options(group, parsed_args) if group in catalogue.GROUPS else []
    name = getattr(parsed_args, "name", None) or "base"
    return [f"{path}=" for path in compose.settings(name, _search_path(parsed_args))]


def resumable_settings(prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
    """Return the settings that may change when a study is continued."""
    from raystudy.config import scopes

    return scopes.select(settings(prefix, parsed_args), scopes.CHANGEABLE)


def store_settings(**_: object) -> list[str]:
    """Return the settings of where results and MLflow are."""
    return ["tracker.uri=", "output_dir="]


def study_ids_and_store_settings(parsed_args: Namespace, **_: object) -> list[str]:
    """Return what may be the first word after ``raystudy ui``."""
    return [*study_ids(parsed_args), *store_settings()]


def scaling(parsed_args: Namespace, **_: object) -> list[str]:
    """Return the options of ``scaling``, as settings."""
    return _options("scaling", parsed_args)


def output_dir(**_: object) -> list[str]:
    """Return the setting of where results are."""
    return ["output_dir="]


def study_names_and_settings(prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
    """Return what may be the first word after ``raystudy doctor``."""
    return [*study_names(parsed_args), *settings(prefix, parsed_args)]


def pages(**_: object) -> list[str]:
    """Return the pages of ``raystudy docs``."""
    from raystudy.cli import docs

    return list(docs.pages())


def budgets(**_: object) -> list[str]:
    """Return what ``compare --budget`` limits."""
    from raystudy.config.budget import MEASURES

    return [f"{name}=" for name in (*MEASURES, "seconds")]


def one_of(*words: str) -> Completer:
    """Return a completer of a few words."""

    def completer(**_: object) -> tuple[str, ...]:
        return words

    return completer


def _options(group: str, parsed_args: Namespace) -> list[str]:
    from raystudy.config import catalogue

    names = catalogue.options(group, _search_path(parsed_args))
    return [f"{group}={name}" for name in names]


def _search_path(parsed_args: Namespace) -> list[str]:
    return getattr(parsed_args, "search_path", None) or []


def _trial_numbers(parsed_args: Namespace, study_id: str) -> list[str]:
    folders = _results(parsed_args, f"{study_id}/trials/[0-9]*")
    return [str(number) for number in sorted(int(folder.name) for folder in folders)]


def _results(parsed_args: Namespace, pattern: str) -> Iterable[Path]:
    """Return files of studies, none for a cluster: ssh is too slow for a key press."""
    if getattr(parsed_args, "cluster", None):
        return ()
    from raystudy.storage import output_dir

    return output_dir.resolve(output_dir.default()).glob(f"studies/{pattern}")
