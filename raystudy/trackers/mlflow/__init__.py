"""MLflow as a sink: events wait on disk until a server or database has them."""

from raystudy.study.tracker import SyncResult
from raystudy.trackers.mlflow.sync import sync
from raystudy.trackers.mlflow.tracker import MlflowTracker

__all__ = ["MlflowTracker", "SyncResult", "sync"]
