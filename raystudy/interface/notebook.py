"""How a study looks in a notebook, and where its runs are in MLflow."""

import html as escaping
from collections.abc import Mapping
from typing import TYPE_CHECKING

from raystudy.errors import UserError
from raystudy.report import curves
from raystudy.storage.folders import StudyFolder
from raystudy.study.open_tracker import settings_of_study
from raystudy.study.stored import StoredStudy
from raystudy.trackers.mlflow.delivered import run_ids
from raystudy.trackers.mlflow.store_uri import store_uri

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = ("train/", "cost/", "time/", "reason", "host")
MOST = 50  # rows; more are cut in the middle, as pandas does


def words(metrics: Mapping[str, float]) -> str:
    """Return the measures on validation images in a line."""
    shown = [f"{name} {value:.4g}" for name, value in metrics.items() if name.startswith("val/")]
    return ", ".join(shown) or "no epoch measured"


def html(study: StoredStudy, title: str, trials: "pd.DataFrame") -> str:
    """Return a heading, the trials and the learning curves."""
    shown = trials[[name for name in trials if not name.startswith(HIDDEN)]]
    table = shown.to_html(max_rows=MOST, float_format="{:.4g}".format, escape=True, border=0)
    figures = curves.section(study)
    pictures = "".join(figures.figures.values()) if figures else ""
    return f"<p><b>{escaping.escape(title)}</b></p>{table}{pictures}"


def mlflow_runs(folder: StudyFolder) -> "pd.DataFrame":
    """Return the runs of a study in MLflow: ``trial`` is its number, or ``study``.

    Raises
    ------
    UserError
        If there are none.
    """
    settings = settings_of_study(folder)
    uri = None
    if "uri" in settings.tracker:  # MLflow's
        uri = store_uri(settings.tracker.uri, str(folder.home))
    runs = {} if uri is None else run_ids(folder, uri)
    if not runs:
        raise UserError(
            f"{folder.id} has no runs in MLflow; 'raystudy sync {folder.id}' delivers what waits."
        )
    import pandas as pd
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    return pd.json_normalize(
        [
            {"trial": key, "run_id": run, **client.get_run(run).data.to_dictionary()}
            for key, run in runs.items()
        ]
    )
