"""Optuna's own tools open a study as it is stored."""

import io
import json
import shutil
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna_dashboard import wsgi

import raystudy as rs

FIXTURES = Path(__file__).parents[2] / "fixtures" / "format_1"


@pytest.fixture(name="journal")
def copy_journal(tmp_path):
    folder = tmp_path / "results/studies/old-sweep"
    shutil.copytree(FIXTURES / "studies/old-sweep", folder)
    return folder / "journal.log"


def asked(app, path, query=""):
    """Return what a WSGI application answers to GET, without a server."""
    status = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query}
    environ |= {"wsgi.input": io.BytesIO(), "SERVER_NAME": "here", "SERVER_PORT": "80"}
    environ |= {"wsgi.url_scheme": "http"}
    body = b"".join(app(environ, lambda line, *_: status.append(line)))
    assert status == ["200 OK"]
    return json.loads(body)


def test_the_dashboard_opens_the_journal(journal):
    before = journal.read_bytes()
    app = wsgi(JournalStorage(JournalFileBackend(str(journal))))
    (one,) = asked(app, "/api/studies")["study_summaries"]
    assert one["study_name"] == "old-sweep"
    assert len(asked(app, f"/api/studies/{one['study_id']}", "after=0")["trials"]) == 4
    assert journal.read_bytes() == before


@pytest.mark.parametrize(
    "plot",
    ["plot_optimization_history", "plot_intermediate_values", "plot_parallel_coordinate"],
)
def test_optunas_plots_draw_it(journal, plot):
    study = rs.open("old-sweep", [f"output_dir={journal.parents[2]}"])
    assert getattr(optuna.visualization, plot)(study.optuna).data
