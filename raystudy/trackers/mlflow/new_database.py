"""MLflow's tables in a new sqlite file, which take seconds to make."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def first_contact(uri: str, artifacts: str | None) -> Iterator[None]:
    """Let one process at a time fill a new sqlite file: MLflow's migrations would collide."""
    if not uri.startswith("sqlite:///") or ":memory:" in uri:
        yield
        return
    path = Path(uri.removeprefix("sqlite:///").partition("?")[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not path.exists():
            _make_database(path, artifacts or str(path.parent / "artifacts"))
        yield


def _make_database(path: Path, artifacts: str) -> None:
    """Make MLflow's tables in a file beside: one that a full disk left half-made stays so."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    # Not by the client, whose first experiment has its files in the folder the user works in.
    SqlAlchemyStore(f"sqlite:///{part}", artifacts).engine.dispose()
    part.replace(path)
