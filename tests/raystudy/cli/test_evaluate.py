"""`raystudy evaluate`, from what the user types to tables, JSON and MLflow."""

import csv
import io
import json
import pickle
import re

import pytest
import torch
import torchvision
from corruptions import write_corruptions
from PIL import Image
from safetensors.torch import load_file

from raystudy import terminal
from raystudy.cli import main
from raystudy.evaluation import published, tables
from raystudy.evaluation.locate import find
from raystudy.evaluation.published import Published
from raystudy.evaluation.runner import Order, measure
from trainables.data.digits import digits
from trainables.networks.interchange import save_torchvision
from trainables.networks.resnet import ResNet

FEW = [
    "suite.max_images=20",
    "suite.checks={_target_: trainables.suite.masking_checks.MaskingChecks, max_images: 5, "
    "steps: [2], restarts: 2, queries: 3, unbounded_steps: 2}",
    "suite.attacks.pgd20_linf.adversary.steps=2",
    "suite.attacks.pgd20_l2.adversary.steps=2",
    "suite.attacks.slide20_l1.adversary.steps=2",
]
CLEAN = ["suite.max_images=20", "suite.attacks={}", "suite.checks=null"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a results folder with one trained trial of FastAT and one of SimCLR."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYSTUDY_HOME", str(folder))
        for study in ("fast_at", "simclr"):
            assert main.main(["train", study, "max_epochs=1", "tracker=none"]) == 0
    return folder


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(home))
    return home


def run(capsys, *words):
    code = main.main(["evaluate", "tracker=none", *words])
    return code, *capsys.readouterr()


def record_of(home, study, suite="quick"):
    return json.loads((home / f"studies/{study}/trials/0000/evaluations/{suite}.json").read_text())


def test_a_trial_is_measured_and_every_number_can_be_recomputed(home, capsys):
    code, out, err = run(capsys, "train-fast_at-1", *FEW)
    assert (code, err) == (0, "")
    assert "20 test images of digits" in out
    record = record_of(home, "train-fast_at-1")
    found = record["protocols"]["quick"]
    rows = [found["clean"], *found["robust"]]
    assert len(rows) == 4
    for row in rows:
        assert row["accuracy"] == row["right"] / row["images"]
        assert row["low"] <= row["accuracy"] <= row["high"]
        assert f"{row['accuracy']:.4f}" in out
    assert all(row["right"] <= found["clean"]["right"] for row in found["robust"])
    assert record["command"].startswith("raystudy train fast_at max_epochs=1")
    assert len({row["fingerprint"] for row in rows}) == 4


def test_json_is_what_is_kept(home, capsys):
    code, out, _ = run(capsys, "train-fast_at-1", *FEW, "--json")
    assert code == 0
    assert json.loads(out) == [record_of(home, "train-fast_at-1")]


def an_order(home, seed=0):
    return Order(
        origin=find("train-simclr-1", []),
        suite="quick",
        overrides=(
            *FEW[:-1],
            "~suite.attacks.slide20_l1",
            f"suite.seed={seed}",
            "suite.batch_size=10",
        ),
        output_dir=home,
    )


def test_interrupted_twice_is_uninterrupted(home):
    straight = measure(an_order(home), lambda _: True)
    an_order(home).results.unlink()
    for attempt in (1, 4):
        steps = iter(range(attempt))
        assert measure(an_order(home), lambda _, left=steps: next(left, None) is not None) is None
        assert not an_order(home).results.exists()
    record = measure(an_order(home), lambda _: True)
    assert not an_order(home).state.exists()
    for part in (straight, record):
        part.pop("seconds")
        part["protocols"]["quick"].pop("seconds")
    assert record == straight


def test_another_suite_setting_measures_anew(home):
    first = measure(an_order(home, seed=1), lambda _: True)
    again = measure(an_order(home, seed=1), lambda _: pytest.fail("it is measured already"))
    other = measure(an_order(home, seed=2), lambda _: True)
    assert first == again
    assert other["key"] != first["key"]


@pytest.fixture
def greys(tmp_path):
    """Return the settings of a small folder of images, for networks that are not small."""
    for number, name in enumerate(("dark", "grey", "light")):
        (tmp_path / name).mkdir()
        for extra in range(24):
            Image.new("L", (8, 8), 90 * number + extra).save(tmp_path / name / f"{extra}.png")
    there = ["data=image_folder", f"data.root={tmp_path}", "data.channels=1", "data.image_size=8"]
    return [*there, "data.splits.val_share=0.2", "data.splits.test_share=0.3"]


def test_weights_from_elsewhere_are_measured(home, capsys, tmp_path, greys):
    torch.manual_seed(0)
    save_torchvision(
        ResNet(depth=18, stem="cifar", channels=1, mean=[0.3], std=[0.4]),
        tmp_path / "theirs.safetensors",
    )
    theirs = [str(tmp_path / "theirs.safetensors"), "encoder=resnet18"]
    code, out, _ = run(capsys, *theirs, *greys, *CLEAN)
    assert code == 0
    assert "theirs.safetensors" in out
    assert len(list(home.glob("weights/theirs-*/evaluations/quick.json"))) == 1


@pytest.mark.parametrize(
    ("study", "encoder"),
    [("train-simclr-1", "small_conv_narrow"), ("train-acl-1", "small_conv_8")],
)
def test_an_exported_encoder_is_measured_as_the_trial_is(capsys, tmp_path, study, encoder):
    if study == "train-acl-1":
        assert main.main(["train", "acl", "max_epochs=1", "attack.steps=1", "tracker=none"]) == 0
    file = tmp_path / "encoder.safetensors"
    assert main.main(["export", study, "--format", "safetensors", "--output", str(file)]) == 0
    capsys.readouterr()
    settings = [*CLEAN, "--json"]
    found = [
        json.loads(run(capsys, *what, *settings)[1])[0]["protocols"]["quick"]["clean"]["right"]
        for what in ([study], [str(file), f"encoder={encoder}"])
    ]
    assert found[0] == found[1]


def test_a_network_is_measured_on_other_data_by_a_new_layer(capsys, greys):
    code, out, err = run(capsys, "train-fast_at-1", *greys, *FEW)
    assert code == 0, err
    assert "20 test images of image_folder" in out
    code, _, err = run(capsys, "train-fast_at-1", *greys, "suite=fast_at_figure2")
    assert code == 2
    assert "needs a method that trains a head" in err


class Malicious:
    def __reduce__(self):
        return (print, ("pwned",))


def test_a_malicious_checkpoint_does_not_run(capsys, tmp_path):
    for name, content in (
        ("evil.pt", pickle.dumps(Malicious())),
        ("evil.ckpt", pickle.dumps({"trainer": Malicious()})),
        ("evil.safetensors", b"\x80\x04garbage"),
    ):
        (tmp_path / name).write_bytes(content)
        code, out, err = run(capsys, str(tmp_path / name), "encoder=resnet18")
        assert code == 2
        assert "pwned" not in out + err
        assert "nothing in it has been run" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing-1"], "no study 'nothing-1'"),
        (["train-fast_at-1", "suite=quik"], "no suite 'quik'; choose from"),
        (["train-fast_at-1", "suite.split=train"], "suite.split must be val or test"),
        (["train-fast_at-1", "suite.max_imges=3"], "max_imges"),
        (["train-simclr-1", "suite=fast_at_figure2"], "needs a method that trains a head"),
        (["/nowhere/weights.pt"], "there is no file /nowhere/weights.pt"),
        (["train-fast_at-1", "data=cifar10"], "holds no intact copy of CIFAR10"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(capsys, words, sentence):
    code, _, err = run(capsys, *words)
    assert code == 2
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_several_seeds_of_one_configuration_get_a_mean(home, capsys):
    record = measure(an_order(home), lambda _: True)
    tables.show(terminal.console(), [record, {**record, "label": "another seed"}])
    assert "mean of 2 seeds" in capsys.readouterr().out


def test_what_a_paper_printed_stands_beside_what_was_measured(home, capsys):
    figures = {("quick", "none", 0.0): 0.9876, ("quick", "pgd20_l2", 0.5): 0.1234}
    known = Published(source="Table 9", setup="ResNet-18", caution="beware", accuracies=figures)
    record = published.beside(measure(an_order(home), lambda _: True), known)
    tables.show(terminal.console(), [record])
    out = capsys.readouterr().out
    assert "Table 9: ResNet-18; beware" in out
    clean, attacked = (
        next(line for line in out.splitlines() if word in line) for word in ("none", "l2 0.5")
    )
    assert clean.endswith("0.9876")
    assert attacked.endswith("0.1234")
    rows = list(csv.DictReader(io.StringIO(tables.as_csv([record]))))
    assert [row["published"] for row in rows].count("") == len(rows) - 2


def test_a_table_of_ones_own_is_printed_with_ones_own_study(home, capsys, tmp_path):
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "quick.yaml").write_text(
        "{title: small, source: Ours, suite: quick, protocol: quick, data: digits, "
        "columns: {clean: {}}, rows: {ours: {study: fast_at, printed: '12.34'}}}"
    )
    words = ["train", "fast_at", "study.id=own", "max_epochs=1", "tracker=none"]
    assert main.main([*words, "--search-path", str(tmp_path)]) == 0
    assert run(capsys, "own", *CLEAN)[0] == 0
    assert record_of(home, "own")["protocols"]["quick"]["clean"]["published"] == 0.1234


@pytest.fixture
def digits_c(tmp_path, monkeypatch):
    """Settings for digits whose test images are there corrupted, too."""
    (tmp_path / "digits_c.py").write_text(
        "from trainables.data.corrupted import with_corruptions\n"
        "from trainables.data.digits import digits\n"
        "def digits_c(*, folder, **cut):\n"
        "    return with_corruptions(digits(**cut), folder, ['dark', 'none'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    folder = write_corruptions(tmp_path / "c", digits().test)
    return ["data.splits._target_=digits_c.digits_c", f"+data.splits.folder={folder}"]


def test_corrupted_test_images_are_measured_by_corruption_and_severity(home, capsys, digits_c):
    code, said, err = run(capsys, "train-fast_at-1", "suite=corruptions", *digits_c)
    assert code == 0, err
    found = record_of(home, "train-fast_at-1", "corruptions")["protocols"]["quick"]
    rows = {(row["corruption"], row["severity"]): row for row in found["corrupted"]}
    assert len(rows) == 10
    for severity in range(1, 6):
        assert rows["none", severity]["right"] == found["clean"]["right"]
    assert rows["dark", 5]["accuracy"] < 0.2 < rows["dark", 1]["accuracy"]
    error = 1 - sum(row["accuracy"] for row in rows.values()) / 10
    assert f"mean corruption error {error:.4f}" in said
    assert len({row["fingerprint"] for row in rows.values()}) == 10
    assert re.search(rf"none +{' +'.join(6 * [format(found['clean']['accuracy'], '.4f')])}", said)


def test_a_suite_of_corruptions_wants_data_that_have_some(capsys):
    code, _, err = run(capsys, "train-fast_at-1", "suite=corruptions")
    assert code == 2
    assert "suite=corruptions is of corrupted test images, and data=digits has none" in err


def test_a_run_in_mlflow_gets_metrics_curves_and_files(home):
    record = measure(an_order(home), lambda _: True)
    added = tables.attachment(record, "quick", b"{}")
    clean = record["protocols"]["quick"]["clean"]["accuracy"]
    assert added.metrics["test/quick/accuracy"] == clean
    assert added.metrics["test/quick/pgd20_l2 0.5"] <= clean
    assert set(added.files) == {"quick.json", "quick.csv"}
    assert added.files["quick.csv"].decode().count("\n") == 4


def test_an_exported_resnet_is_torchvisions(capsys, tmp_path, greys):
    overrides = ["encoder=resnet18", "batch_size=16", "max_epochs=1", "tracker=none"]
    assert main.main(["train", "cross_entropy", "study.id=resnet", *greys, *overrides]) == 0
    file = tmp_path / "resnet.safetensors"
    assert main.main(["export", "resnet", "--format", "safetensors", "--output", str(file)]) == 0
    theirs = torchvision.models.resnet18()
    theirs.conv1 = torch.nn.Conv2d(1, 64, 3, padding=1, bias=False)  # the CIFAR stem, grey
    left = theirs.load_state_dict(load_file(file), strict=False)
    assert (sorted(left.missing_keys), left.unexpected_keys) == (["fc.bias", "fc.weight"], [])
    assert "strict=False" in capsys.readouterr().err
