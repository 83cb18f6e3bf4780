"""The cluster files, AWS's and the one for machines of one's own, read by Ray's own validator."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from raystudy.cli import main
from raystudy.cli.commands.table import GROUPS

ROOT = Path(__file__).parents[1]
NODE = "bash ~/raystudy-upload/raystudy/on_ray/node.sh"
COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "key").touch()
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda text, **_: printed.append(text))
        hosts = "10.77.0.1,10.77.0.2,10.77.0.3"
        assert main.main(["cluster", "init", f"--hosts={hosts}", f"--key={folder / 'key'}"]) == 0
    return {"aws": (ROOT / "cluster.yaml").read_text(), "own": printed[0]}


@pytest.fixture(scope="module", params=["aws", "own"])
def text(request, texts):
    return texts[request.param]


@pytest.fixture(scope="module")
def cluster(text):
    return yaml.safe_load(text)


@pytest.fixture(scope="module")
def commands(cluster):
    return [command for group in COMMANDS for command in cluster[group]]


def test_ray_accepts_the_file(cluster):
    validate_config(prepare_config(cluster))


def test_ray_adds_no_command_of_its_own(cluster):
    prepared = prepare_config(cluster)
    own = cluster["initialization_commands"], cluster["setup_commands"]
    assert (prepared["initialization_commands"], prepared["setup_commands"]) == own
    assert prepared["head_setup_commands"] == prepared["worker_setup_commands"] == own[1]


def test_nothing_is_left_to_edit(text):
    assert re.findall(r"EDIT|example\.(org|com)|\$[a-z]+\b", text) == []


def test_no_address_but_the_documentations_stands_outside_a_comment(texts):
    lines = [line for line in texts["aws"].splitlines() if not line.lstrip().startswith("#")]
    assert re.findall(
        r"https?://|fs-[0-9a-f]+|ami-[0-9a-f]+|\d+\.\d+\.\d+\.\d+", "\n".join(lines)
    ) == [
        "127.0.0.1"  # the dashboard's
    ]


def test_every_node_type_names_an_image_that_cannot_be_out_of_date(texts):
    nodes = yaml.safe_load(texts["aws"])["available_node_types"].values()
    images = {node["node_config"]["ImageId"] for node in nodes}
    assert len(images) == 1
    assert re.fullmatch(r"resolve:ssm:/aws/service/[\w/.-]+/latest/ami-id", images.pop())


def test_gpu_workers_scale_from_zero_and_trials_stay_off_the_head(texts):
    cluster = yaml.safe_load(texts["aws"])
    nodes = cluster["available_node_types"]
    assert nodes[cluster["head_node_type"]]["resources"] == {"CPU": 0, "GPU": 0}
    assert nodes["gpu_worker"]["min_workers"] == 0
    assert 0 < nodes["gpu_worker"]["max_workers"] <= cluster["max_workers"]


def test_own_machines_are_all_wanted_always_by_the_autoscaler_that_keeps_them(texts):
    cluster = yaml.safe_load(texts["own"])
    assert cluster["provider"]["head_ip"] == "10.77.0.1"
    assert cluster["provider"]["worker_ips"] == ["10.77.0.2", "10.77.0.3"]
    assert cluster["min_workers"] == cluster["max_workers"] == 2
    (start,) = [c for c in cluster["head_start_ray_commands"] if "ray start" in c]
    assert "RAY_enable_autoscaler_v2=0" in start
    assert "AUTOSCALER_NODE_START_WAIT_S=1000000000" in start


def test_every_ray_is_started_with_token_authentication(commands):
    starts = [command for command in commands if "ray start" in command]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in command for command in starts)


def test_the_token_comes_from_the_head_and_no_command_holds_a_secret(cluster, commands):
    assert "~/.ray/auth_token" in cluster["cluster_synced_files"]
    secret = re.compile(r"RAY_AUTH_TOKEN|password|secret|AKIA|://[^/\s]*:[^/\s]*@", re.IGNORECASE)
    assert [command for command in commands if secret.search(command)] == []


def test_the_dashboard_listens_on_the_heads_loopback_only(cluster, text):
    (start,) = [c for c in cluster["head_start_ray_commands"] if "ray start" in c]
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in text


def test_a_running_study_is_asked_for_before_ray_is_stopped_or_started_on_the_head(cluster):
    changing = [c for c in cluster["head_start_ray_commands"] if re.search("ray (stop|start)", c)]
    assert len(changing) == 2
    assert all(f"{NODE} unless_running " in command for command in changing)


def test_what_is_sent_is_what_is_installed(cluster):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    sent = {path.removeprefix("~/raystudy-upload/") for path in cluster["file_mounts"]}
    assert sent == {*packages, "pyproject.toml", project["project"]["readme"], ".git"}
    assert all((ROOT / path).exists() for path in sent)


def test_both_files_have_the_same_steps(texts):
    both = [yaml.safe_load(text) for text in texts.values()]
    for group in COMMANDS[-2:]:
        aws, own = ([re.findall(r"node\.sh (\w+)", c) for c in cluster[group]] for cluster in both)
        assert aws == own


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--hosts=a,,b"], "--hosts: names or addresses between commas"),
        (["--hosts=me@10.0.0.1"], "give the user by --user"),
        (["--hosts=10.0.0.1,10.0.0.1"], "10.0.0.1 is there more than once"),
        (["--hosts=127.0.0.1,10.0.0.1"], "other machines cannot reach 127.0.0.1"),
        (["--hosts=10.0.0.1", "--key=/no/key"], "--key: there is no file /no/key"),
        (["--hosts=10.0.0.1", f"--key={__file__}", "--shared=s p"], "--shared: a path such as"),
        ([], "--hosts"),
    ],
)
def test_wrong_words_to_init_end_in_one_sentence(words, wrong, capsys):
    words = [*words] if any("--key" in word for word in words) else [*words, f"--key={__file__}"]
    try:
        code = main.main(["cluster", "init", *words])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert wrong in capsys.readouterr().err


def test_what_takes_long_is_not_started_from_the_laptop():
    stays = {verb.name for group in GROUPS.values() for verb in group if not verb.from_laptop}
    assert stays == {
        *("sweep", "train", "resume", "extend", "evaluate", "look", "confirm", "replay"),
        "reproduce",
        *("register", "cluster", "completion"),
    }
