"""Every study trains on a folder of images; a new one is enrolled by existing."""

import numpy as np
import pytest
from PIL import Image

from raystudy.cli import main
from raystudy.config import catalogue, compose

TINY = [
    *("data=image_folder", "data.image_size=8", "encoder=small_conv", "max_epochs=1"),
    *("batch_size=8", "device=cpu", "tracker=none"),
]
# What a study has for many images, brought to few.
OWN = {
    "data.cache_dir=null": "data",
    "labels.fraction=1.0": "labels.fraction",
    "labels.images_per_class=2": "labels.images_per_class",
    "clusters.num_clusters=4": "clusters.num_clusters",
    "method.queue_size=16": "method.queue_size",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        for number in range(10):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize("study", catalogue.study_names())
def test_it_trains_on_a_folder_of_images(study, root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    known = compose.settings(study)
    own = [text for text, path in OWN.items() if path in known]
    code = main.main(["train", study, *TINY, f"data.root={root}", *own])
    said = capsys.readouterr()
    assert code == 0, said.err + said.out
    assert "complete" in said.out
