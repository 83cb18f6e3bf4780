"""``ray up`` on machines of one's own: a laptop, a head and two workers; half an hour.

Power and cables are pulled while a study runs: no finished epoch is lost or trained twice.
"""

import json
import time
from pathlib import Path

import pytest
from hosts import SMALL

pytestmark = pytest.mark.cluster

CLUSTER = "machines.yaml"
SWEEP = (
    "raystudy sweep swaro scaling=cluster scaling.use_gpu=false scaling.cpus_per_worker=1 "
    "trial_scheduler=none evaluate_every=10"
)
OUTSIDER = Path(__file__).with_name("outsider.py")


@pytest.fixture(scope="module")
def hosts(make_hosts):
    hosts = make_hosts(2)
    hosts.on(
        "lap",
        "raystudy cluster init --hosts 10.77.0.1,10.77.0.2,10.77.0.3 --shared /shared |"
        f" sed 's/--object-manager-port=8076/& {SMALL}/' > {CLUSTER}; ray up -y {CLUSTER}",
    )
    hosts.wait_until(lambda: alive(hosts) == {"10.77.0.1", "10.77.0.2", "10.77.0.3"})
    return hosts


def alive(hosts):
    nodes = "import ray; ray.init('auto', logging_level='ERROR', log_to_driver=False); "
    nodes += "print(*[node['NodeManagerAddress'] for node in ray.nodes() if node['Alive']])"
    return set(hosts.on("head", f'raystudy-venv/bin/python -c "{nodes}"').split()[-3:])


def ask(hosts, words):
    return hosts.on("lap", f"raystudy --cluster {CLUSTER} {words}")


def start(hosts, study, trials, epochs):
    settings = f"study.id={study} study.num_trials={trials} max_epochs={epochs}"
    hosts.on("head", f"(setsid {SWEEP} {settings} > {study}.log 2>&1 &)")
    hosts.wait_until(lambda: finished_epochs(hosts, study) > 6)


def trials_of(hosts, study):
    if not (hosts.folder / "shared/raystudy/studies" / study / "study.json").exists():
        return []
    return json.loads(ask(hosts, f"status {study} --json"))["trials"]


def finished_epochs(hosts, study):
    return sum(trial["epoch"] or 0 for trial in trials_of(hosts, study))


def has_ended(hosts, study):
    (entry,) = [e for e in json.loads(ask(hosts, "studies --json")) if e["study"] == study]
    return entry["state"] != "running"


def epochs_in_log(hosts, study, number):
    printed = ask(hosts, f"logs {study} {number}")
    return [
        int(line.split()[1].split("/")[0])
        for line in printed.splitlines()
        if line.startswith("epoch")
    ]


def assert_complete(hosts, study, trials, epochs):
    hosts.wait_until(lambda: has_ended(hosts, study), 1800)
    found = trials_of(hosts, study)
    assert [trial["state"] for trial in found] == ["complete"] * trials
    for number in range(trials):
        assert epochs_in_log(hosts, study, number) == list(range(1, epochs + 1))


def test_every_machine_installs_the_checkout_and_studies_record_its_commit(hosts):
    ask(hosts, "studies")
    commit = hosts.on("lap", "git -C checkout rev-parse HEAD").strip()
    for host in ("head", "w1", "w2"):
        assert hosts.on(host, "git -C raystudy-src rev-parse HEAD").strip() == commit


def test_key_and_token_are_private_on_every_machine(hosts):
    for host in ("head", "w1", "w2"):
        assert hosts.on(host, "stat -c %a .ray .ray/auth_token").split() == ["700", "600"]
    assert hosts.on("head", "stat -c %a ray_bootstrap_key.pem").split() == ["600"]


def test_a_host_without_the_token_gets_nothing(hosts):
    hosts.do("add", "w3")
    hosts.on("w3", "cat > outsider.py <<'END'\n" + OUTSIDER.read_text() + "END\n")
    uv = ".local/bin/uv venv venv && .local/bin/uv pip install --python venv/bin/python --editable"
    hosts.on("w3", f"mkdir empty; touch empty/pyproject.toml; {uv} ~/empty")
    assert (
        json.loads(
            hosts.on("w3", "venv/bin/python outsider.py 10.77.0.1 10.77.0.2").splitlines()[-1]
        )
        == []
    )


def test_ray_up_restarts_nothing_while_a_study_runs_and_says_so(hosts):
    start(hosts, "kept", trials=3, epochs=40)
    said = hosts.on("lap", f"echo '# changed' >> checkout/README.md; ray up -y {CLUSTER}")
    assert "kept runs here, so Ray was NOT restarted" in said
    assert "changed" not in hosts.on("head", "cat raystudy-src/README.md raystudy-upload/README.md")
    assert_complete(hosts, "kept", 3, 40)


def test_a_studys_pages_in_mlflow_open_on_the_head_and_on_the_laptop(hosts):
    pages = hosts.on("head", "raystudy ui kept")
    assert pages.endswith("it runs already\n")
    hosts.on("lap", f"(setsid raystudy --cluster {CLUSTER} ui kept --port 5055 > ui.log 2>&1 &)")
    hosts.wait_until(lambda: "Ctrl-C ends it" in hosts.on("lap", "cat ui.log"), 60)
    told = hosts.on("lap", "cat ui.log").replace(":5055", ":5000")
    assert pages.splitlines()[1:-1] == told.splitlines()[2:-1]
    experiment = "api/2.0/mlflow/experiments/get-by-name?experiment_name=raystudy/swaro/digits"
    ask_it = (
        f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:5055/{experiment}').read())"
    )
    assert "Each study is a run" in hosts.on("lap", f'python -c "{ask_it}"')
    hosts.on("lap", "pkill -f 'ssh.*-L127.0.0.1:5055'")


def test_power_cut_of_a_worker_costs_no_epoch_and_it_comes_back_and_takes_trials(hosts):
    start(hosts, "power", trials=100, epochs=30)  # enough until it is back, after some minutes
    hosts.do("off", "w2")
    hosts.wait_until(lambda: "10.77.0.3" not in alive(hosts))
    hosts.do("on", "w2")
    hosts.wait_until(lambda: "10.77.0.3" in alive(hosts))
    handed_out = len(trials_of(hosts, "power"))
    hosts.wait_until(
        lambda: "w2" in {trial["host"] for trial in trials_of(hosts, "power")[handed_out:]}
    )
    ask(hosts, "pause power")
    hosts.wait_until(lambda: has_ended(hosts, "power"))
    assert_complete(hosts, "power", len(trials_of(hosts, "power")), 30)


@pytest.mark.parametrize("seconds", [20, None])
def test_a_cable_that_is_out_costs_no_epoch(hosts, seconds):
    study = f"cable-{seconds}"
    start(hosts, study, trials=3, epochs=30)
    hosts.do("cut", "w1")
    if seconds:
        time.sleep(seconds)
        hosts.do("plug", "w1")
    assert_complete(hosts, study, 3, 30)
    if not seconds:
        hosts.do("plug", "w1")
    hosts.wait_until(lambda: "10.77.0.2" in alive(hosts))


def test_after_a_power_cut_of_the_head_ray_up_and_resume_continue(hosts):
    start(hosts, "headless", trials=3, epochs=30)
    before = finished_epochs(hosts, "headless")
    hosts.do("off", "head")
    hosts.do("on", "head")
    hosts.on("lap", f"ray up -y {CLUSTER}")
    hosts.wait_until(lambda: alive(hosts) == {"10.77.0.1", "10.77.0.2", "10.77.0.3"})
    assert finished_epochs(hosts, "headless") >= before
    hosts.on("head", "raystudy resume headless", patience_s=1800)
    assert_complete(hosts, "headless", 3, 30)


def test_ray_down_leaves_no_process(hosts):
    hosts.on("lap", f"ray down -y {CLUSTER}")
    for host in ("head", "w1", "w2"):
        hosts.wait_until(lambda host=host: processes(hosts, host) == [])


def processes(hosts, host):
    return [
        line
        for line in hosts.on(host, "ps -u you -o args=").splitlines()
        if "ray" in line and not line.startswith(("ps ", "bash ", "ssh:"))
    ]
