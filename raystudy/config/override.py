"""One override as it is meant: Hydra's grammar, and plain text where that says something else."""

import difflib
import functools
import re
from collections.abc import Iterable

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString, ValueType
from hydra.errors import HydraException

from raystudy.errors import UnreadableError, UserError

# Settings that may be any text: a folder may be named [old], and a study 0.1.
TEXT = (
    *("output_dir", "data.root", "data.cache_dir", "tracker.uri"),
    *("study.id", "study.name", "study.storage", "study.warm_start"),
)
FUNCTIONS = (
    *("choice", "range", "interval", "glob", "tag", "sort", "shuffle"),
    *("int", "float", "str", "bool", "json_str", "extend_list"),
)
_PATH = re.compile(r"~?/|\.{1,2}/")
_CALL = re.compile(r"(\w+)\(")
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}


def parse(text: str) -> Override:
    """Read one override.

    Raises
    ------
    UserError
        If it has no path, or its value is ambiguous.
    """
    override = _parsed(as_meant(text))
    assert override is not None
    return override


def path_of(text: str) -> str:
    """Return the setting that an override names, or the group whose option it chooses.

    ``++data.root=/images``, ``~study.budget`` and ``attack@own=pgd_l2`` name ``data.root``,
    ``study.budget`` and ``attack``.
    """
    return text.partition("=")[0].strip().lstrip("+~").partition("@")[0].replace("/", ".")


def node_of(text: str) -> str:
    """Return the section that an override is about: the first part of its path."""
    return path_of(text).partition(".")[0]


def value_of(text: str) -> str:
    """Return an override's value as typed."""
    return text.partition("=")[2]


def named(overrides: Iterable[str], path: str) -> list[str]:
    """Return the overrides of one setting, or those that choose the option of one group."""
    return [text for text in overrides if path_of(text) == path]


@functools.lru_cache(maxsize=1024)
def as_meant(text: str) -> str:
    """Return an override with quotes of Hydra's around what is plainly a path or a word.

    Hydra's grammar knows neither ü nor ( nor # in a text, and takes ``a,b`` for two values.

    Raises
    ------
    UserError
        See `parse`.
    """
    path, equals, value = text.partition("=")
    override = _parsed(text)
    if override is not None and not _says_something_else(override, path, value):
        return text
    if not equals or _parsed(f"{path}=0") is None:
        raise UserError(
            f"cannot read the override '{text}': write path=value, such as optimizer.lr=0.1 or "
            f"'optimizer.lr=choice(0.1,0.2)' (quoted for the shell)."
        )
    if override is None and not _is_plain(path, value):
        raise UnreadableError(text, f"{path}={_readable(path, value)}")
    return f"{path}={quoted(value)}"


def quoted(value: str) -> str:
    """Return a text in Hydra's quotes: double ones, which the shell's single ones can hold."""
    quote = Quote.single if '"' in value else Quote.double
    return QuotedString(value, quote).with_quotes()


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Override | None:
    try:
        override = _parser().parse_override(text)
    except HydraException:
        return None
    return override if override.key_or_group else None


@functools.cache  # registering its functions takes thrice as long as reading an override
def _parser() -> OverridesParser:
    return OverridesParser.create()


def _is_text(path: str) -> bool:
    return path_of(path) in TEXT


def _says_something_else(override: Override, path: str, value: str) -> bool:
    """Return whether Hydra reads something else than a text that is plainly meant as it stands."""
    if override.value_type == ValueType.SIMPLE_CHOICE_SWEEP:
        return _is_text(path) or _PATH.match(value) is not None
    call = _CALL.match(value)
    if not _is_text(path) or (call and call[1] in FUNCTIONS) or override.is_sweep_override():
        return False
    read = override._value
    if isinstance(read, str):  # a backslash is the user's own way to say what is meant
        return read != value and "\\" not in value
    return read is not None and not isinstance(read, QuotedString)


def _is_plain(path: str, value: str) -> bool:
    """Return whether what Hydra cannot read is a path or a word, not its syntax gone wrong."""
    call = _CALL.match(value)
    if _PATH.match(value):
        return True
    if _is_text(path):
        return value[:1] not in "'\"" and not (call and call[1] in FUNCTIONS)
    return value[:1] not in "[{'\"" and not call


def _readable(path: str, value: str) -> str:
    """Return what may be meant by a value that cannot be read, in Hydra's grammar."""
    candidates = [value + _open_brackets(value)]
    if call := _CALL.match(value):
        near = difflib.get_close_matches(call[1], FUNCTIONS, 1)
        candidates += [f"{name}{value[call.end() - 1 :]}" for name in near]
    if among := re.fullmatch(r"(\w*\(|\[)(.*)(\)|\])", value, re.DOTALL):
        parts = [part.strip() for part in among[2].split(",")]
        own = [part if _parsed(f"{path}={part}") else quoted(part) for part in parts]
        candidates.append(f"{among[1]}{','.join(own)}{among[3]}")
    there = (one for one in candidates if _parsed(f"{path}={one}"))
    return next(there, quoted(value))


def _open_brackets(value: str) -> str:
    """Return what closes the brackets that are still open at the end."""
    missing = ""
    for letter in value:
        if letter in _CLOSED_BY:
            missing = _CLOSED_BY[letter] + missing
        elif missing.startswith(letter):
            missing = missing[1:]
    return missing
