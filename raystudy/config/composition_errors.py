"""What is wrong with a study's name, overrides or YAML, in one sentence."""

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from raystudy.config import hydra_files, library_errors
from raystudy.config.catalogue import GROUPS, options, refuse_ending
from raystudy.errors import UserError


@contextmanager
def explained(name: str, folders: tuple[str, ...]) -> Iterator[None]:
    """Raise what Hydra says in five lines as a `UserError` that says it in one sentence.

    Parameters
    ----------
    name : str
        The study that is composed.
    folders : tuple of str
        The user's own.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # a file may hold anything, and Hydra hands on what it meets
        raise UserError(_sentence(error, name, folders)) from error


def unknown_setting(wrong: str, name: str, folders: tuple[str, ...] = ()) -> str:
    """Return the sentence for a setting that does not exist."""
    try:
        hint = nearest(wrong, hydra_files.paths(name, folders))
    except Exception:  # the study does not compose: a suggestion must not hide why
        hint = ""
    return f"no setting '{wrong}' in {name}; {hint}'raystudy show {name}' lists them."


def nearest(wrong: str, known: Sequence[str]) -> str:
    """Return "did you mean '...'? ", or nothing where nothing is close."""
    parent, dot, word = wrong.rpartition(".")
    short = f"{parent}{dot}{''.join(part[:1] for part in word.split('_'))}"  # learning_rate: lr
    if "_" in word and short in known:
        return f"did you mean '{short}'? "
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    if not close:  # a right last word under a wrong path is the commoner slip
        last = {path.rsplit(".", 1)[-1]: path for path in reversed(known)}
        close = [
            last[word]
            for word in difflib.get_close_matches(wrong.rsplit(".", 1)[-1], list(last), n=1)
        ]
    return f"did you mean '{close[0]}'? " if close else ""


def _sentence(error: Exception, name: str, folders: tuple[str, ...]) -> str:
    text = str(error)
    if missing := re.search(r"Key '([^']+)' is not in struct\s+full_key: (\S+)", text):
        return unknown_setting(missing[2], name, folders)
    if option := re.search(r"Could not find '([^']+)/([^/']+)'", text):
        refuse_ending(f"{option[1]}/{option[2]}", folders)
        known = options(option[1], folders)
        return (
            f"{option[1]}: no option '{option[2]}'; {nearest(option[2], known)}"
            f"there are: {', '.join(known) or 'none'}."
        )
    if group := re.search(r"In '([^']+)': Could not override '([^']+)'", text):
        return (
            f"{group[1]}.yaml: its defaults list has 'override {group[2]}', a group that is not "
            f"there to override; there are: {', '.join(GROUPS)}."
        )
    if group := re.search(r"Could not override '([^']+)'", text):
        return unknown_setting(group[1].split("@")[0], name, folders)
    if isinstance(error, UnicodeDecodeError):
        return f"{_not_utf8(folders) or name} is not UTF-8 ({error}); save it as UTF-8."
    return (
        library_errors.words(error)
        or f"{name}.yaml: {type(error).__name__}: {' '.join(text.split())}"
    )


def _not_utf8(folders: Sequence[str]) -> str:
    """Return the first YAML that cannot be read as text."""
    for path in (path for folder in folders for path in sorted(Path(folder).rglob("*.yaml"))):
        try:
            path.read_bytes().decode()
        except UnicodeDecodeError:
            return str(path)
        except OSError:  # a folder of that name
            continue
    return ""
