"""Errors of Hydra, OmegaConf, a YAML or a user's own module, in one sentence."""

import re
import sysconfig
import traceback

import yaml
from hydra.errors import HydraException, InstantiationException
from omegaconf.errors import GrammarParseError, InterpolationKeyError, OmegaConfBaseException

LIBRARIES = ("/hydra/", "/omegaconf/")


def words(error: BaseException) -> str:
    """Return the sentence; empty for an error that is none of these."""
    if isinstance(error, yaml.YAMLError):
        return _of_yaml(error)
    if isinstance(error, InstantiationException):
        return f"{_setting(error)}{own(error)}"
    if isinstance(error, OmegaConfBaseException):
        return _of_setting(error)
    if isinstance(error, HydraException):
        said = _flat(str(error).partition("Config search path:")[0])
        more = words(error.__cause__) if error.__cause__ is not None else ""
        return ": ".join(filter(None, (said, more))) or type(error).__name__
    if isinstance(error, RecursionError) and _is_from_libraries(error):
        return "the configuration refers to itself"
    return ""


def own(error: BaseException) -> str:
    """Return what is wrong in Python that a setting names, and where."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    where = ""
    if isinstance(cause, SyntaxError):
        where, said = f" ({cause.filename}, line {cause.lineno})", cause.msg
    else:
        frames = traceback.extract_tb(cause.__traceback__)
        mine = [one for one in frames if not _is_installed(one.filename)]
        where = f" ({mine[-1].filename}, line {mine[-1].lineno})" if mine else ""
        said = str(cause)
    if isinstance(cause, ModuleNotFoundError) and "is not a package" in said:
        module, _, name = str(cause.name).rpartition(".")
        return f"{module} has no '{name}'"
    return f"{type(cause).__name__}: {_flat(said)}{where}"


def _of_yaml(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}: {_flat(str(error.problem))}"
    return _flat(str(error))


def _of_setting(error: OmegaConfBaseException) -> str:
    key, text = str(error.full_key or ""), str(error)
    name = key or "a setting"
    if variable := re.search(r"Environment variable '([^']*)' not found", text):
        return (
            f"{name}: the environment variable {variable[1]} is not set; set it, or write "
            f"{name}=VALUE."
        )
    if missing := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{missing[1]} has no value, and {name} needs it; write {missing[1]}=VALUE."
    if isinstance(error, InterpolationKeyError):
        there = re.search(r"Interpolation key '([^']*)' not found", text)
        return f"{name} refers to '{there[1] if there else '?'}', which is no setting."
    if "Recursive interpolation" in text:
        return f"{name} refers to itself."
    if resolver := re.search(r"Unsupported interpolation type (\S+)", text):
        return f"{name}: '${{{resolver[1]}:...}}' is none of OmegaConf's or raystudy's resolvers."
    if isinstance(error, GrammarParseError):
        return f"{name}: a reference '${{...}}' is not closed or cannot be read."
    said = re.sub(r"^\w+ raised while resolving interpolation: ", "", text.partition("\n")[0])
    return f"{name}: {_flat(said)}"


def _setting(error: BaseException) -> str:
    key = re.search(r"full_key: (\S+)", str(error))
    return f"{key[1]}: " if key else ""


def _is_installed(file: str) -> bool:
    return "site-packages" in file or file.startswith(("<", sysconfig.get_path("stdlib")))


def _is_from_libraries(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__, limit=-50)
    return any(library in frame.filename for library in LIBRARIES for frame in frames)


def _flat(text: str) -> str:
    return " ".join(text.split())
