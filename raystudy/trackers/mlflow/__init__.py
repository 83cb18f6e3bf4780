"""MLflow as a sink: events wait on disk until a server or database has them."""

from raystudy.trackers.mlflow.sync import SyncResult, sync
from raystudy.trackers.mlflow.tracker import MlflowTracker

__all__ = ["MlflowTracker", "SyncResult", "sync"]
