"""A number belongs to one network, and who reads test images is counted."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from omegaconf import OmegaConf

from raystudy.cli import main
from raystudy.evaluation.locate import find
from raystudy.evaluation.runner import Order, finished_measurement, measure
from raystudy.storage import split_readings
from trainables.networks.small_conv import SmallConv

CLEAN = ["~suite.attacks.pgd20_linf", "~suite.attacks.pgd20_l2", "~suite.attacks.slide20_l1"]
CLEAN += ["suite.checks=null", "tracker=none"]
FOREIGN = ["encoder=small_conv", *CLEAN]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYSTUDY_HOME", str(folder))
        assert main.main(["train", "fast_at", "max_epochs=1", "tracker=none"]) == 0
    return folder


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(home))


def evaluate(capsys, *words):
    code = main.main(["evaluate", *words])
    return code, *capsys.readouterr()


def right(capsys, *words):
    code, out, err = evaluate(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)[0]["protocols"]["quick"]["clean"]["right"]


def weights(path, seed=0):
    torch.manual_seed(seed)
    torch.save(SmallConv(channels=1, widths=[32, 64, 128], mean=[0], std=[1]).state_dict(), path)
    return path


def test_other_settings_of_the_encoder_are_another_network(capsys, tmp_path):
    file = str(weights(tmp_path / "theirs.pt"))
    other = [file, "encoder.mean=[9.0]", *FOREIGN]
    first, apart = right(capsys, file, *FOREIGN), right(capsys, *other)
    assert first != apart
    assert right(capsys, file, *FOREIGN) == first
    assert evaluate(capsys, file, "encoder=resnet18", *CLEAN)[0] == 2


def test_a_network_is_normalised_as_it_was_trained_when_its_recipe_has_changed(
    home, tmp_path, monkeypatch
):
    shutil.copytree(home, tmp_path / "old")
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "old"))
    now = find("train-fast_at-1", []).settings().encoder
    (kept,) = (tmp_path / "old").rglob("0000/config.yaml")
    trained = OmegaConf.load(kept)
    assert trained.encoder == now
    trained.encoder.update(mean=[0.0], std=[0.5])  # as if the YAML had said so then
    OmegaConf.save(trained, kept)
    for overrides in ([], ["+suite=quick"], ["data=digits"]):
        encoder = find("train-fast_at-1", []).settings(overrides).encoder
        assert (encoder.mean, encoder.std) == ([0.0], [0.5])
        assert encoder.widths == now.widths


def test_files_of_one_name_do_not_share_results(capsys, tmp_path):
    files = []
    for seed in range(2):
        (tmp_path / str(seed)).mkdir()
        files.append(str(weights(tmp_path / str(seed) / "same.pt", seed)))
    found = [right(capsys, file, *FOREIGN) for file in files]
    assert [right(capsys, file, *FOREIGN) for file in files] == found
    orders = [an_order(tmp_path, find(file, FOREIGN)) for file in files]
    assert orders[0].folder != orders[1].folder


def an_order(home, origin):
    overrides = tuple(text for text in CLEAN if not text.startswith("tracker"))
    return Order(origin=origin, suite="quick", overrides=overrides, output_dir=home)


def test_best_weights_lie_beside_the_last(home):
    trial = home / "studies/train-fast_at-1/trials/0000"
    last, best = (find(str(trial / name), []) for name in ("last.ckpt", "best.safetensors"))
    assert an_order(home, last).folder == trial / "evaluations"
    assert an_order(home, best).folder == trial / "evaluations/best"
    assert (last.label, best.label) == ("train-fast_at-1", "train-fast_at-1 best.safetensors")


def test_a_classifier_whose_state_is_gone_is_fitted_anew(home, tmp_path):
    order = an_order(home, find(str(weights(tmp_path / "lost.pt")), FOREIGN))
    record = measure(order, lambda _: True)
    assert not order.state.exists()
    measurement, suite, splits = finished_measurement(order)
    images = suite.images(splits)
    hits = measurement.classifier("quick")(images.pixels(slice(None))).argmax(dim=1)
    found = record["protocols"]["quick"]["clean"]["right"]
    assert int((hits == images.labels).sum()) == found > 100


def test_every_reading_of_test_images_is_counted_and_shown(home, capsys):
    folder = home / "studies/train-fast_at-1"
    ledger = "the test images of train-fast_at-1 have been read"
    _, out, _ = evaluate(capsys, "train-fast_at-1", *CLEAN, "suite.max_images=7")
    assert f"{ledger} once so far" in " ".join(out.split())
    _, out, _ = evaluate(capsys, "train-fast_at-1", *CLEAN, "suite.max_images=7")
    assert f"{ledger} once so far" in " ".join(out.split())  # nothing was read
    order = replace(an_order(home, find("train-fast_at-1", [])), overrides=tuple(CLEAN[:-1]))
    assert measure(replace(order, overrides=(*order.overrides, "suite.seed=1")), lambda _: True)
    # What is left of a suite with other settings that was interrupted is not gone on with.
    state = {"key": "another", "seconds": 0.0, "measurement": {"protocols": {}}}
    torch.save(state, order.state)
    assert measure(order, lambda _: True)
    assert split_readings.count(folder) == 3
    _, out, _ = evaluate(capsys, "train-fast_at-1", *CLEAN, "suite.split=val")
    assert ledger not in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train-fast_at-1/99"], "train-fast_at-1 is a single trial; there is no train-fast_at-1/"),
        (
            ["train-fast_at-1", "encoder=resnet18"],
            "is measured as it was trained: 'encoder=resnet1",
        ),
        (["train-fast_at-1", "optimizer.lr=3"], "is measured as it was trained: 'optimizer.lr=3'"),
        (["train-fast_at-1", "train-fast_at-1/0"], "are the same network"),
    ],
)
def test_what_would_be_another_network_is_refused(capsys, words, sentence):
    code, _, err = evaluate(capsys, *words, *CLEAN)
    assert code == 2
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_a_run_is_not_looked_for_in_an_mlflow_that_is_not_there(capsys, home):
    code, _, err = evaluate(capsys, "0" * 32)
    assert code == 2
    assert "there is no MLflow at sqlite:///" in err
    assert not (home / "mlflow.db").exists()


def test_pictures_are_of_the_data_it_was_trained_on(capsys):
    assert main.main(["look", "train-fast_at-1", "data=cifar10"]) == 2
    assert "looked at on the data it was trained on, not data=cifar10" in capsys.readouterr().err


def test_of_several_encoders_in_a_file_one_is_named(capsys, tmp_path):
    one = SmallConv(channels=1, widths=[32, 64, 128], mean=[0], std=[1]).body.state_dict()
    both = {
        f"{name}.{key}": value for name in ("encoder_q", "encoder_k") for key, value in one.items()
    }
    torch.save(both, tmp_path / "moco.pt")
    code, _, err = evaluate(capsys, str(tmp_path / "moco.pt"), *FOREIGN)
    assert code == 2
    assert "FILE:PREFIX, of encoder_q., encoder_k." in err
    assert right(capsys, f"{tmp_path}/moco.pt:encoder_q", *FOREIGN) > 100


def test_lightnings_file_names_are_no_settings(capsys, tmp_path):
    file = weights(tmp_path / "epoch=9-step=100.ckpt")
    assert right(capsys, str(file), *FOREIGN) > 100
    assert evaluate(capsys, "suite.seed=1")[0] == 2


def test_a_network_that_diverged_is_refused(capsys, home):
    trial = home / "studies/train-fast_at-1/trials/0000/last.ckpt"
    kept = trial.read_bytes()
    state = torch.load(trial, weights_only=True)
    next(iter(state["trainer"]["method"].values())).fill_(float("nan"))
    torch.save(state, trial)
    code, _, err = evaluate(capsys, "train-fast_at-1", *CLEAN)
    trial.write_bytes(kept)
    assert code == 2
    assert "are not finite" in err
