"""Where MLflow keeps runs and files."""

from pathlib import Path


def store_uri(uri: str | None, output_dir: str) -> str:
    """Return the tracking URI: the one given, or a sqlite file beside the results."""
    if uri is not None:
        return uri
    return f"sqlite:///{Path(output_dir).expanduser().resolve() / 'mlflow.db'}"


def default_artifacts(output_dir: str) -> str:
    """Return where files of runs go when the store is a database."""
    return str(Path(output_dir).expanduser().resolve() / "artifacts")
