"""Several writes to a sqlite file in one transaction; MLflow commits each of them four times."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What MLflow, too, sets, but for each of its sessions: a dozen a trial.
SETTINGS = ("foreign_keys = ON", "busy_timeout = 20000", "case_sensitive_like = true")


@contextmanager
def one_transaction(database: Any) -> Iterator[None]:
    """Let all that a store writes be there at once at the end, or not at all after an exception.

    What MLflow's sessions commit and roll back are savepoints meanwhile: SQLAlchemy's recipe for
    "joining a session into an external transaction".

    Parameters
    ----------
    database : SqlAlchemyStore
        Of a sqlite file. Databases that end a transaction at a deadlock would lose what is before.
    """
    from mlflow.store.db import utils
    from sqlalchemy.orm import sessionmaker

    make_session = database.ManagedSessionMaker
    with database.engine.connect() as connection:
        for setting in SETTINGS:  # before the transaction, in which foreign keys stay as they are
            connection.exec_driver_sql(f"PRAGMA {setting}")
        # By hand: Python's sqlite3 would take the first savepoint for the transaction.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        sessions = sessionmaker(bind=connection, join_transaction_mode="create_savepoint")
        # Of no kind of database that it knows: there is nothing more to set.
        database.ManagedSessionMaker = utils._get_managed_session_maker(sessions, db_type="set up")
        try:
            yield
        finally:
            database.ManagedSessionMaker = make_session
        connection.commit()
