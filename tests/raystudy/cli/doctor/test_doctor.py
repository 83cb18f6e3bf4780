"""What the doctor checks, and that no check can block it."""

import http.server
import json
import socket
import threading

import pytest

from raystudy.cli import main
from raystudy.cli.doctor import machine, results, services
from raystudy.cli.doctor.check import Check, python, run_all
from raystudy.cli.doctor.verb import all_probes
from raystudy.config import compose
from raystudy.config.scaling import Scaling
from raystudy.study.plan.calibration import Sizes


def test_a_probe_that_hangs_or_raises_does_not_block_the_others():
    forever, good = threading.Event(), Check("good", "well", "fine")

    def raises():
        raise OSError("the disk is gone")

    checks = list(run_all({"slow": forever.wait, "bad": raises, "good": lambda: [good]}, 1))
    forever.set()
    assert [check.verdict for check in checks] == ["wrong", "wrong", "well"]
    assert checks[0].found == "no answer in 1 s"
    assert checks[1].found == "OSError: the disk is gone"


def test_a_process_that_hangs_is_killed():
    assert python("import time; time.sleep(600)", limit_s=0.3) == ("", "no answer in 0.3 s")
    assert python("import sys; sys.exit('no')") == ("", "no")
    assert python("import sys; print(sys.argv[1])", "well") == ("well", "")


@pytest.mark.parametrize(("is_wanted", "verdict"), [(False, "note"), (True, "wrong")])
def test_without_a_compiler_only_who_compiles_is_wrong(is_wanted, verdict, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    (check,) = machine.check_compiler(is_wanted)
    assert check.verdict == verdict
    assert "there is no g++ here" in check.found


def test_results_can_be_written_and_locked(tmp_path):
    folder, lock = results.check_results(tmp_path / "not" / "there")
    assert folder.verdict in ("well", "note")
    assert (lock.name, lock.verdict) == ("locks", "well")
    assert not list(tmp_path.iterdir())


def test_a_lock_that_does_not_exclude_others_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(results.fcntl, "flock", lambda *_: None)  # as some network disks do
    assert results.check_lock(tmp_path).verdict == "wrong"
    assert "two processes could run one study" in results.check_lock(tmp_path).advice


def test_the_last_mount_over_a_folder_counts(tmp_path):
    (tmp_path / "a b").mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/x / ext4 rw 0 0\nhost:/y {tmp_path} nfs4 rw 0 0\n"
        f"/dev/z {str(tmp_path / 'a b').replace(' ', chr(92) + '040')} xfs rw 0 0\n"
    )
    assert results.file_system(tmp_path, mounts) == "nfs4"
    assert results.file_system(tmp_path / "a b", mounts) == "xfs"
    assert results.file_system(tmp_path.parent, mounts) == "ext4"
    assert results.file_system(tmp_path, tmp_path / "absent") == "unknown file system"


@pytest.mark.parametrize(("trials", "verdict"), [(2, "well"), (10**9, "wrong")])
def test_the_output_of_a_study_must_fit_on_disk(tmp_path, trials, verdict):
    settings = compose.load("simclr", [f"study.num_trials={trials}", "tracker=none"])
    (check,) = results.check_disk_for(settings, "simclr", tmp_path)
    assert (check.name, check.verdict) == ("disk for simclr", verdict)
    assert f"{trials} trials write at most" in check.found


def test_missing_images_are_reported(tmp_path):
    settings = compose.load("simclr", ["data=cifar10", f"data.root={tmp_path}"])
    (check,) = results.check_disk_for(settings, "simclr", tmp_path)
    assert check.verdict == "wrong"
    assert "data.download=true" in check.found


@pytest.mark.parametrize(
    ("capability", "gpus", "verdict", "words"),
    [
        ((8, 0), 0, "note", "on the GPU torch"),
        ((8, 0), 1, "well", "on the GPU faiss"),
        ((9, 0), 0, "well", "torch, as faiss' packages know 7.0 to 8.9 only"),
        ((6, 1), 1, "well", "torch, as faiss' packages know 7.0 to 8.9 only"),
    ],
)
def test_faiss_for_gpus_is_advised_where_it_would_be_used(capability, gpus, verdict, words):
    check = machine.kmeans_on_gpu("faiss 1.15, a build", capability, gpus)
    assert (check.verdict, check.found.startswith("faiss 1.15")) == (verdict, True)
    assert words in check.found
    swap = "uv pip uninstall faiss-cpu && uv pip install faiss-gpu-cu12"
    assert (swap in check.advice) == (verdict == "note")


@pytest.mark.parametrize(("store", "verdict"), [(1, "well"), (2**60, "note")])
def test_the_object_store_must_fit_into_shared_memory(tmp_path, store, verdict):
    assert machine.check_shared_memory(store, tmp_path)[0].verdict == verdict
    assert machine.check_shared_memory(store, tmp_path / "absent")[0].verdict == "note"


@pytest.mark.parametrize(
    ("stops_at", "least", "verdict"), [(1.0, 1, "well"), (0.0, 1, "wrong"), (1.0, 2**60, "note")]
)
def test_a_full_temporary_folder_is_wrong(tmp_path, stops_at, least, verdict):
    assert machine.check_ray_folder(tmp_path, stops_at, least)[0].verdict == verdict


@pytest.fixture
def silent():
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_database_that_does_not_respond_is_reported(tmp_path):
    assert services.check_database(None) == []
    assert services.check_database(f"sqlite:///{tmp_path}/x.db")[0].verdict == "well"
    (check,) = services.check_database(f"sqlite:///{tmp_path}/absent/x.db")
    assert check.verdict == "wrong"
    assert "study.storage=null" in check.advice


def test_an_mlflow_that_does_not_respond_is_reported_in_time(silent, monkeypatch):
    monkeypatch.setattr("raystudy.trackers.mlflow.contact.PATIENCE_S", 0.5)
    uri = f"http://me:secret@127.0.0.1:{silent}"
    (check,) = services.check_tracker(compose.load_shared([f"tracker.uri={uri}"]))
    assert check.verdict == "wrong"
    assert "raystudy sync" in check.advice
    assert "secret" not in check.found


def test_an_mlflow_store_is_named(tmp_path):
    def verdict_on(*words):
        settings = compose.load_shared([f"output_dir={tmp_path}", *words])
        (check,) = services.check_tracker(settings)
        return check.verdict, check.found

    assert verdict_on("tracker=none") == ("well", "none (tracker=none)")
    assert verdict_on("tracker.enabled=false") == ("well", "none (tracker=none)")
    assert verdict_on()[1].endswith("will be made by the first study")
    verdict, words = verdict_on("tracker.uri='file:///tmp/mlruns'")
    assert verdict == "wrong"
    assert "tracker.uri must start with" in words


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers every request with the server's status."""

    def do_GET(self):
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def dashboard():
    """Start a dashboard that answers with a status; return its address."""
    servers = []

    def start(status):
        server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        server.status = status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_open_dashboard_is_wrong(dashboard, monkeypatch):
    cluster = Scaling(address="auto")
    assert services.requires_token(dashboard(401))
    assert not services.requires_token(dashboard(200))
    assert services.check_dashboard("127.0.0.1:8265", cluster).verdict == "well"
    monkeypatch.setattr(services, "LOOPBACK", ())  # as if 127.0.0.1 were anybody's
    assert services.check_dashboard(dashboard(200), cluster).verdict == "wrong"
    assert services.check_dashboard(dashboard(401), cluster).verdict == "well"


def test_no_dashboard_is_wrong_only_where_one_is_needed():
    assert services.check_dashboard("", Scaling()).verdict == "well"
    assert services.check_dashboard("", Scaling(num_workers=2)).verdict == "wrong"
    assert services.check_dashboard("", Scaling(address="auto")).verdict == "wrong"


def test_the_disk_is_checked_for_a_study():
    shared, named = compose.load_shared([]), compose.load("simclr", [])
    assert set(all_probes(named, "simclr")) - set(all_probes(shared, None)) == {"disk"}


@pytest.mark.slow
@pytest.mark.ray
def test_the_doctor_finds_this_machine_well(capsys, tmp_path):
    words = [f"output_dir={tmp_path}", "tracker=none", "scaling.num_workers=2"]
    code = main.main(["doctor", "--json", *words])
    told = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    wrong = {name for name, check in told.items() if check["verdict"] == "wrong"}
    assert wrong <= {"devices"}
    assert code == bool(wrong)
    assert "starts here" in told["ray"]["found"]
    assert "reachable from this machine only" in told["Ray's dashboard"]["found"]


def test_the_size_of_a_study_is_at_least_its_checkpoints():
    settings = compose.load("simclr", ["study.num_trials=3", "tracker=none"])
    from raystudy.study.plan.forecast import most_bytes

    sizes = Sizes(checkpoint=1000, weights=100)
    assert most_bytes(settings, sizes) > 3 * 1100


CLUSTER = {"trials": 0, "most": 8, "grows_to": "gpu_worker (48 CPU and 4 GPU, at most 2)"}


@pytest.mark.parametrize(
    ("cluster", "verdict", "found"),
    [
        (CLUSTER, "well", "0 at a time now, up to 8: 1 worker with 1 CPU each"),
        (CLUSTER | {"most": None}, "well", "0 at a time now, as its machines come: 1 worker"),
        (CLUSTER | {"trials": 4, "grows_to": ""}, "well", "4 at a time now: 1 worker"),
        (CLUSTER | {"never": "a trial needs more"}, "wrong", "a trial needs more"),
    ],
)
def test_what_a_cluster_can_grow_to_is_said(cluster, verdict, found):
    check = services.check_room(cluster, Scaling(address="auto"))
    assert (check.verdict, check.found[: len(found)]) == (verdict, found)
