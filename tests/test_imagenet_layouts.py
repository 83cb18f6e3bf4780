"""Data sets in the layouts they are published in, from their files to a measured network."""

import json

import pytest
from pictures import class_folders, jpeg

from raystudy.cli import main

SMALL = [
    *("encoder=small_conv", "encoder.widths=[4,8]", "max_epochs=1", "batch_size=8", "device=cpu"),
    *("tracker=none", "evaluate.classifier.max_images=8", "evaluate.classifier.attack.steps=1"),
]
FEW = ["suite.max_images=8", "suite.attacks={}", "suite.checks=null"]


def tiny_imagenet(root):
    names = [f"n{number:08d}" for number in (1, 2)]
    for name in names:
        class_folders(root / "train" / name, splits=("images",), classes=("",), each=20)
        (root / "train" / name / f"{name}_boxes.txt").write_text("0.jpg\t0\t0\t7\t7\n")
    for split in ("val", "test"):
        (root / split / "images").mkdir(parents=True)
        for number in range(8):
            (root / split / "images" / f"{split}_{number}.JPEG").write_bytes(jpeg(number))
    lines = [f"val_{number}.JPEG\t{names[number % 2]}\t0\t0\t7\t7" for number in range(8)]
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))


def imagenet(root):
    names = [f"n{number:08d}" for number in (1, 2, 3)]
    class_folders(root, splits=("train",), classes=names, each=20, height=20, width=28)
    class_folders(root, splits=("val",), classes=names, each=4, height=20, width=28)


@pytest.mark.parametrize(
    ("data", "write"), [("tiny_imagenet", tiny_imagenet), ("imagenet", imagenet)]
)
def test_it_is_packed_trained_on_and_measured(data, write, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "home"))
    write(tmp_path / "in")
    assert main.main(["pack", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    where = [f"data={data}", f"data.root={tmp_path / 'out'}", "data.image_size=8"]
    assert main.main(["train", "cross_entropy", *where, *SMALL]) == 0, capsys.readouterr().err
    trained = "train-cross_entropy-1"
    assert main.main(["evaluate", trained, "tracker=none", *FEW]) == 0, capsys.readouterr().err
    path = (
        tmp_path / "home" / "studies" / trained / "trials" / "0000" / "evaluations" / "quick.json"
    )
    record = json.loads(path.read_text())
    assert (record["data"], record["split"], record["images"]) == (data, "test", 8)
