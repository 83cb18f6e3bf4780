"""`raystudy evaluate RUN protocol=NAME`: downstream tasks, from what is typed to what is kept."""

import json

import pytest
from annotated_folders import coco_folder, voc07_folder, voc12_folder

from raystudy.cli import main
from raystudy.evaluation import downstream, scores
from raystudy.evaluation.downstream import DownstreamOrder
from raystudy.evaluation.locate import find

FEW = ["protocol.fit.max_epochs=2", "protocol.fit.batch_size=2"]
TASKS = {
    "voc07_svm": (
        "voc07",
        ["protocol.image_size=8", "protocol.costs=[0.1]", "protocol.max_iterations=9"],
    ),
    "voc12_segments": ("voc12", ["protocol.image_size=32", *FEW]),
    "coco_maskrcnn": (
        "coco",
        [
            *FEW,
            "protocol.sizes={_target_: trainables.protocols.downstream.detector.Sizes, "
            "shorter: [48], longer: 64, width: 4, regions: 4, detections: 2}",
        ],
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a results folder with a trial of SimCLR on digits, and all data sets in it."""
    folder = tmp_path_factory.mktemp("home")
    voc07_folder(folder / "data", size=(16, 14))
    voc12_folder(folder / "data")
    coco_folder(folder / "data" / "coco")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYSTUDY_HOME", str(folder))
        assert main.main(["train", "simclr", "max_epochs=1", "tracker=none"]) == 0
        export = ["export", "train-simclr-1", "--format", "safetensors"]
        assert main.main([*export, "--output", str(folder / "theirs.safetensors")]) == 0
    return folder


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(home))


def words_for(name):
    data, settings = TASKS[name]
    return [f"protocol={name}", f"data={data}", "data.channels=1", *settings]


def run(capsys, *words):
    code = main.main(["evaluate", "tracker=none", *words])
    return code, *capsys.readouterr()


@pytest.mark.parametrize("name", TASKS)
def test_a_trial_is_measured_by_a_task_and_its_scores_are_kept(home, capsys, name):
    code, out, err = run(capsys, "train-simclr-1", *words_for(name))
    assert (code, err) == (0, "")
    evaluations = home / "studies/train-simclr-1/trials/0000/evaluations"
    record = json.loads((evaluations / f"{name}.json").read_text())
    assert all(0 <= value <= 1 for value in record["scores"].values())
    for score, value in record["scores"].items():
        assert f"{value:.4f}" in next(line for line in out.splitlines() if score in line)
    assert record["command"].startswith("raystudy train simclr max_epochs=1")
    assert not (evaluations / f"{name}.ckpt").exists()
    code, out, _ = run(capsys, "train-simclr-1", *words_for(name), "--json")
    assert json.loads(out) == [record]  # not measured anew: the seconds are the same
    added = scores.attachment(record, b"{}")
    assert added.metrics == {f"test/{name}/{s}": v for s, v in record["scores"].items()}
    assert added.files[f"{name}.csv"].decode().count("\n") == 1 + len(record["scores"])


def test_weights_from_elsewhere_are_measured_as_the_trial_they_are_of(home, capsys):
    norm = ["data.mean=[0.305]", "data.std=[0.376]"]
    theirs = [str(home / "theirs.safetensors"), "encoder=small_conv_narrow"]
    code, out, err = run(capsys, *theirs, *words_for("voc07_svm"), *norm, "--json")
    assert code == 0, err
    (record,) = json.loads(out)
    assert record["study"] is None
    assert record["scores"]["AP/aeroplane"] > 0.5


def an_order(home):
    return DownstreamOrder(
        origin=find("train-simclr-1", []),
        suite="voc12_segments",
        overrides=("data=voc12", "data.channels=1", *TASKS["voc12_segments"][1]),
        output_dir=home,
    )


def test_interrupted_is_uninterrupted(home):
    order = an_order(home)
    order.results.unlink(missing_ok=True)
    straight = downstream.measure(order, lambda _: True)
    order.results.unlink()
    assert downstream.measure(order, lambda _: False) is None
    assert order.state.exists()
    seen = []
    record = downstream.measure(order, lambda step: seen.append(step.share) or True)
    assert seen == [1.0, 1.0]  # the second epoch, and the measuring
    assert (record["scores"], record["key"]) == (straight["scores"], straight["key"])


@pytest.mark.ray
def test_two_ranks_measure_what_one_process_does(home, capsys):
    words = ["train-simclr-1", *words_for("voc12_segments")]
    results = an_order(home).results.with_name("voc12_segments.json")
    run(capsys, *words)
    alone = json.loads(results.read_text())
    results.unlink()
    code, _, err = run(capsys, *words, "scaling.num_workers=2", "scaling.num_cpus=2")
    assert code == 0, err
    together = json.loads(results.read_text())
    assert together["scores"] == pytest.approx(alone["scores"])
    assert together["key"] == alone["key"]
    assert not list(home.glob(".ranks-*"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["protocol=voc07_svm"], "data=digits has no annotated classes; choose data=voc07"),
        (["protocol=voc07_svm", "data=coco"], "data=coco has instances and keypoints, not classes"),
        (["protocol=voc07_svm", "data=voc07"], "data.channels=3, but train-simclr-1 was trained"),
        (["protocol=voc07_svm", "data=voc07", "data.root=/nowhere"], "/nowhere is not a folder"),
        (["protocol=voc07_svm", "data=voc07", "data.root=/"], "unpack VOCtrainval_06-Nov-2007.tar"),
        (["protocol=coco_keypoints", "data=coco", "data.root=/"], "unpack train2017.zip"),
        (["protocol=voc07_svn"], "no protocol 'voc07_svn'; choose from"),
        (["protocol=le_swaro"], "protocol=le_swaro makes a classifier, which a suite measures"),
        (["protocol=voc07_svm", "suite=quick"], "leave one out"),
        (["protocol=coco_maskrcnn", "data=coco", "protocol.schedule=3x"], "must be 1x or 2x"),
        (["protocol=voc07_svm", "data=voc07", "data.channels=2"], "set data.channels=1"),
        (["protocol=voc07_svm", "data=voc07", "protocol.image_size=0"], "protocol.image_size must"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(capsys, words, sentence):
    code, _, err = run(capsys, "train-simclr-1", *words)
    assert code == 2
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_a_broken_image_is_named_and_what_is_done_is_kept(home, capsys, tmp_path):
    root = voc12_folder(tmp_path)
    broken = root / "VOCdevkit/VOC2012/JPEGImages/2007_000006.jpg"
    broken.write_bytes(broken.read_bytes()[:400])
    words = [*words_for("voc12_segments"), f"data.root={root}"]
    code, _, err = run(capsys, "train-simclr-1", *words)
    assert code == 2
    assert "2007_000006.jpg is not a readable image" in err
    assert len(err.strip().splitlines()) == 1
    assert (home / "studies/train-simclr-1/trials/0000/evaluations/voc12_segments.ckpt").exists()


def test_a_fitting_that_diverges_is_one_sentence(capsys):
    words = [*words_for("voc12_segments"), "protocol.fit.optimizer.lr=1e38"]
    code, _, err = run(capsys, "train-simclr-1", *words)
    assert code == 2
    assert "became nan" in err or "became inf" in err
    assert "lower protocol.fit.optimizer.lr" in err


@pytest.mark.parametrize("data", ["voc07", "voc12", "coco"])
def test_nothing_is_trained_on_them(capsys, data):
    assert main.main(["train", "simclr", f"data={data}", "max_epochs=1", "tracker=none"]) == 2
    err = capsys.readouterr().err
    assert f"data={data} is for downstream tasks, not for training" in err
    assert len(err.strip().splitlines()) == 1
