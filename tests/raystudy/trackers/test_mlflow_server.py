"""A real MLflow server that dies in the middle of a study."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from mlflow_studies import ROBUST, again, summary, trial

from raystudy.trackers.mlflow import MlflowTracker, sync

pytestmark = pytest.mark.slow


@contextmanager
def server(folder, port):
    """Run a server on a database in `folder` until the block ends, then kill it."""
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--artifacts-destination", str(folder / "files")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={
            **os.environ,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # which leaves a folder in /dev/shm
        },
    )
    try:
        assert any("Application startup complete" in line for line in process.stdout)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_what_a_killed_server_missed_is_there_after_sync(folder, study, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri, warnings = f"http://127.0.0.1:{port}", []
    folder.trial(0).path.mkdir(parents=True)
    folder.trial(0).best_weights.write_bytes(b"weights")
    tracker = MlflowTracker(uri, patience=600, warn=warnings.append)
    with server(tmp_path, port):
        tracker.study_started(study)
        tracker.trial_started(trial(folder))
        tracker.trial_reported(0, 1, {ROBUST: 0.5})
        tracker.study_finished("interrupted")
        tracker.close()
    assert warnings == []
    tracker.study_started(again(study))
    tracker.trial_started(trial(folder, resumed=True))
    tracker.trial_reported(0, 2, {ROBUST: float("nan")})
    tracker.trial_finished(summary(state="diverged"))
    tracker.study_finished("complete")
    tracker.close()
    assert len(warnings) == 2
    with server(tmp_path, port):
        assert sync(folder, uri).error == ""
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        runs = {run.info.run_name: run for run in client.search_runs(["1"])}
        assert set(runs) == {folder.id, "trial 0000"}
        run = runs["trial 0000"]
        history = client.get_metric_history(run.info.run_id, ROBUST)
        assert [(point.step, str(point.value)) for point in history] == [(1, "0.5"), (2, "nan")]
        assert run.info.status == "FAILED"
        files = {entry.path for entry in client.list_artifacts(run.info.run_id)}
        assert files == {"best.safetensors", "history.png"}
