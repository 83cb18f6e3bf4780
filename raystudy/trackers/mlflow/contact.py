"""Whether a store answers, found out in seconds and said in a sentence.

MLflow itself, and the libraries below it, repeat for minutes what cannot succeed.
"""

import json
import re
import ssl
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from raystudy.errors import UserError
from raystudy.storage import answering
from raystudy.storage.redaction import redact
from raystudy.study.tracker import Health
from raystudy.trackers.mlflow.client import MlflowStore

PATIENCE_S = 5.0
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
LOGIN = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to what "
    "it wants"
)
ADVICE = {
    r"HTTP 40[13]\b|PERMISSION_DENIED|UNAUTHENTICATED|password authentication": LOGIN,
    r"HTTP 5\d\d": "its own log says why",
    r"HTTP 404|no MLflow": "check the address",
    "refused|unreachable": "check the address, and that it runs",
    "not known|No address|name resolution|resolve host": "check its name and the network",
    "no answer|timed out": "check the address, and that it runs",
    "is locked": "another process writes to it; repeat this when that has ended",
    "readonly|unable to open|Permission denied|cannot be written": "make it writable",
    "not a database|malformed": "move that file away, or restore it from a copy",
    "out-of-date database schema|Can't locate revision": (
        "bring it to this version of MLflow by 'mlflow db upgrade', or install the one it is of"
    ),
    "No module named": "install the module that is missing",
}


class SilentError(Exception):
    """A store does not answer now; says why."""


def reach(uri: str) -> None:
    """Raise `SilentError`, within seconds, if a store does not answer."""
    if reason := silence(uri):
        raise SilentError(reason)


def why(error: BaseException) -> str:
    """Return in a few words what an error of this or any library below is about."""
    if isinstance(error, SilentError):
        return str(error)
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    words = redact(f"{type(error).__name__}: {error}".splitlines()[0])
    code = re.search(r"failed with error code (\d+)", words)
    return f"HTTP {code[1]}" if code else words[:200]


def takes_nothing(uri: str, error: BaseException) -> str:
    """Return the sentence for a store that does not take, or give, what it should."""
    reason = why(error)
    return f"MLflow at {redact(uri)} takes nothing now ({reason}); {advice(reason)}"


def tags_of(run_id: str, uri: str) -> dict[str, str]:
    """Return the tags of a run; none if there is no such run.

    Raises
    ------
    UserError
        If the store does not answer.
    """
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        # MLflow would make one.
        raise UserError(f"{run_id} is no trial of raystudy: there is no MLflow at {redact(uri)}.")
    try:
        reach(uri)
        return MlflowStore(uri, artifacts=None, refused=lambda _: None).tags(run_id)
    except Exception as error:  # of any library between here and the server
        raise UserError(f"{takes_nothing(uri, error)}, then repeat it.") from error


def health(uri: str) -> Health:
    """Return whether a store would accept a study now."""
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return Health("well", f"{uri} will be made by the first study")
    try:
        reach(uri)
        MlflowStore(uri, artifacts=None, refused=lambda _: None).ask()
    except Exception as error:  # of any library between here and the server
        later = "sweeps run all the same; 'raystudy sync STUDY' delivers later"
        return Health("wrong", f"{redact(uri)}: {why(error)}", later)
    return Health("well", f"{redact(uri)} answers")


def advice(reason: str) -> str:
    """Return what to do about it."""
    found = (words for pattern, words in ADVICE.items() if re.search(pattern, reason))
    return next(found, "check tracker.uri")


def silence(uri: str) -> str:
    """Return why a store does not answer now; empty if it does, or if only MLflow can tell."""
    if uri.startswith("databricks"):
        return ""
    if uri.startswith(("http://", "https://")):
        return answering.in_time(lambda: _ask_server(uri), PATIENCE_S)
    return answering.database_silence(uri, PATIENCE_S)


def _ask_server(uri: str) -> str:
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]  # MLflow sends the password, if it is wanted
    address = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")) + SEARCH
    try:
        # Whether its certificate is to be trusted, MLflow knows.
        with urlopen(
            address, timeout=PATIENCE_S, context=ssl._create_unverified_context()
        ) as answer:
            json.loads(answer.read())
    except HTTPError as error:  # without the user's name and password
        return "" if error.code in (401, 403) else f"HTTP {error.code} {error.reason}"
    except TimeoutError:
        return f"no answer in {PATIENCE_S:g} s"
    except URLError as error:
        slow = isinstance(error.reason, TimeoutError)
        return f"no answer in {PATIENCE_S:g} s" if slow else answering.innermost(error)
    except ValueError:
        return "what answers there is no MLflow"
    return ""
