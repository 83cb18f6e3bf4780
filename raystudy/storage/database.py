"""A database that holds a study's state instead of the journal: ``study.storage``."""

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage

from raystudy.errors import StudyStalledError, UserError

LOCK_PATIENCE_S = 30.0  # another process may read a sqlite file, or copy it, and lock it meanwhile


def open_database(url: str | None) -> BaseStorage:
    """Return the database of `study.storage`.

    Raises
    ------
    UserError
        If it does not open.
    """
    assert url is not None
    try:
        is_file = url.startswith("sqlite")
        return RDBStorage(url, {"connect_args": {"timeout": LOCK_PATIENCE_S}} if is_file else None)
    except Exception as error:  # every database's driver has errors of its own
        where = url.rpartition("@")[2]  # what stands before may be a password
        raise UserError(f"study.storage: cannot open {where}: {_innermost(error)}") from error


@contextmanager
def outage_explained(study_id: str, resume: str) -> Iterator[None]:
    """Say in a sentence that a database takes nothing, which is no fault of the study."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise StudyStalledError(
            f"study '{study_id}' was ended: study.storage takes nothing now "
            f"({_innermost(error)}). What was finished is kept; once it does, continue with "
            f"'{resume}'."
        ) from error


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).splitlines() or [type(error).__name__])[0]
