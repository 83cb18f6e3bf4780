"""Whether a store answers, found out in seconds and said in a sentence.

MLflow itself, and the libraries below it, repeat for minutes what cannot succeed.
"""

import contextlib
import json
import os
import queue
import re
import ssl
import threading
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from raystudy.errors import UserError
from raystudy.storage.redaction import redact
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
    try:
        reach(uri)
        return MlflowStore(uri, artifacts=None, refused=lambda _: None).tags(run_id)
    except Exception as error:  # of any library between here and the server
        raise UserError(f"{takes_nothing(uri, error)}, then repeat it.") from error


def advice(reason: str) -> str:
    """Return what to do about it."""
    found = (words for pattern, words in ADVICE.items() if re.search(pattern, reason))
    return next(found, "check tracker.uri")


def silence(uri: str) -> str:
    """Return why a store does not answer now; empty if it does, or if only MLflow can tell."""
    ask = _ask_server if uri.startswith(("http://", "https://")) else _ask_database
    if uri.startswith("databricks"):
        return ""
    if ask is _ask_database:
        import sqlalchemy  # noqa: F401 - not in the time that the database has, on a busy machine
    answer: queue.SimpleQueue[str] = queue.SimpleQueue()

    def look() -> None:
        try:
            answer.put(ask(uri))
        except Exception as error:  # of every database's own driver
            answer.put(_innermost(error))

    # In a thread of its own, which is left behind: nothing limits how long a name is looked up.
    threading.Thread(target=look, daemon=True).start()
    try:
        return redact(answer.get(timeout=PATIENCE_S + 1))
    except queue.Empty:
        return f"no answer in {PATIENCE_S:g} s"


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
        return f"no answer in {PATIENCE_S:g} s" if slow else _innermost(error)
    except ValueError:
        return "what answers there is no MLflow"
    return ""


def _ask_database(uri: str) -> str:
    import sqlalchemy as sa

    kind = uri.partition(":")[0].partition("+")[0]
    if kind == "sqlite" and (path := _file(uri)) is not None:
        if not path.exists():
            there = next(p for p in path.absolute().parents if p.exists())
            return "" if os.access(there, os.W_OK) else f"{there} cannot be written"
        if not os.access(path, os.W_OK):
            return f"{path} cannot be written"
    limits = {"sqlite": {"timeout": 2}, "postgresql": {"connect_timeout": int(PATIENCE_S)}}
    limits["mysql"] = limits["postgresql"]
    engine = sa.create_engine(uri, connect_args=limits.get(kind, {}))
    with contextlib.closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("begin immediate" if kind == "sqlite" else "select 1")
        connection.rollback()
    engine.dispose()
    return ""


def _file(uri: str) -> Path | None:
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(path) if uri.startswith("sqlite:///") and path not in ("", ":memory:") else None


def _innermost(error: BaseException) -> str:
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    words = str(error).strip().splitlines()
    return words[0][:200] if words else type(error).__name__
