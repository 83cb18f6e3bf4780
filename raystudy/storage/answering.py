"""Whether a database answers, found out in seconds: its driver may wait for minutes."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

from raystudy.storage.redaction import redact

PATIENCE_S = 5.0


def database_silence(url: str, patience_s: float = PATIENCE_S) -> str:
    """Return why a database does not answer now; empty if it does."""
    # Imported outside the time that the database has, on a busy machine.
    import sqlalchemy  # noqa: F401

    return in_time(lambda: _ask(url, patience_s), patience_s)


def in_time(ask: Callable[[], str], patience_s: float) -> str:
    """Return what a question comes to, or that it takes too long; an error in its own words."""
    answer: queue.SimpleQueue[str] = queue.SimpleQueue()

    def look() -> None:
        try:
            answer.put(ask())
        except Exception as error:  # of every database's own driver
            answer.put(innermost(error))

    # In a thread that is abandoned: nothing limits how long the look-up of a name takes.
    threading.Thread(target=look, daemon=True).start()
    try:
        return redact(answer.get(timeout=patience_s + 1))
    except queue.Empty:
        return f"no answer in {patience_s:g} s"


def innermost(error: BaseException) -> str:
    """Return the first line of the error that caused an error."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    words = str(error).strip().splitlines()
    return words[0][:200] if words else type(error).__name__


def _ask(url: str, patience_s: float) -> str:
    import sqlalchemy as sa

    kind = url.partition(":")[0].partition("+")[0]
    if kind == "sqlite" and (path := _file(url)) is not None:
        if not path.exists():
            there = next(p for p in path.absolute().parents if p.exists())
            return "" if os.access(there, os.W_OK) else f"{there} cannot be written"
        if not os.access(path, os.W_OK):
            return f"{path} cannot be written"
    limits = {"sqlite": {"timeout": 2}, "postgresql": {"connect_timeout": int(patience_s)}}
    limits["mysql"] = limits["postgresql"]
    engine = sa.create_engine(url, connect_args=limits.get(kind, {}))
    with contextlib.closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("begin immediate" if kind == "sqlite" else "select 1")
        connection.rollback()
    engine.dispose()
    return ""


def _file(url: str) -> Path | None:
    path = url.removeprefix("sqlite:///").partition("?")[0]
    return Path(path) if url.startswith("sqlite:///") and path not in ("", ":memory:") else None
