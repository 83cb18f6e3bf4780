"""MLflow keeps absolute paths: where a results folder was moved, its database is updated."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import sqlalchemy as sa

EXPERIMENTS = "raystudy/"  # what names of ours start with
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def folder_of(experiment: str) -> str:
    """Return the folder of an experiment's files, below all artifacts."""
    return experiment.replace("/", "-")


def follow(uri: str, artifacts: str) -> None:
    """Let runs in a database find their files where these are now.

    Parameters
    ----------
    uri : str
        Of a database that has MLflow's tables.
    artifacts : str
        Where files of runs are now; see `default_artifacts`.
    """
    engine = sa.create_engine(uri)
    try:
        with engine.connect() as connection:
            moved = set(_moved(connection, uri, artifacts))
        if moved:
            with engine.begin() as connection:
                tables = set(sa.inspect(connection).get_table_names())
                for old in moved:
                    _replace(connection, tables, old, artifacts)
    finally:
        engine.dispose()


def _moved(connection: sa.Connection, uri: str, artifacts: str) -> Iterator[str]:
    """Yield where files were once that are in `artifacts` now."""
    path = Path(uri.removeprefix("sqlite:///")).resolve()  # perhaps through a link
    beside = uri.startswith("sqlite:///") and path.parent == local(artifacts).resolve().parent
    query = "select experiment_id, name, artifact_location from experiments where name like :ours"
    for number, name, location in connection.execute(sa.text(query), {"ours": f"{EXPERIMENTS}%"}):
        old, folder, rest = str(location).rpartition(f"/{folder_of(name)}")
        if not folder or rest or old == artifacts:
            continue  # somebody chose another place
        query = "select run_uuid from runs where experiment_id = :number"
        runs = list(connection.execute(sa.text(query), {"number": number}).scalars())
        here, there = (
            any((local(root) / folder[1:] / run).exists() for run in runs)
            for root in (artifacts, old)
        )
        # A database of one's own may serve machines that see other folders. A copied folder has
        # its files, though the old ones are there, too.
        if (here or not there) if beside else (here and not local(old).exists()):
            yield old


def _replace(connection: sa.Connection, tables: set[str], old: str, new: str) -> None:
    for name, column_name in COLUMNS:
        if name in tables:
            column = sa.column(column_name, sa.String)
            moved = sa.literal(new).concat(sa.func.substr(column, len(old) + 1))
            is_within = sa.func.substr(column, 1, len(old) + 1) == f"{old}/"
            table = sa.table(name, column)
            connection.execute(sa.update(table).where(is_within).values({column_name: moved}))


def local(location: str) -> Path:
    """Return the folder that a location of files, path or ``file:`` URI, stands for."""
    path = location.removeprefix("file://")
    return Path(unquote(path) if path != location else path)
