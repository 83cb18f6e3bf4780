"""Every study trains on a folder of images; a new one is enrolled by existing."""

import numpy as np
import pytest
from few_images import of_few_images
from PIL import Image

from raystudy.cli import main
from raystudy.config import catalogue

TINY = [
    *("data=image_folder", "data.image_size=8", "encoder=small_conv", "max_epochs=1"),
    *("batch_size=8", "device=cpu", "tracker=none"),
]


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
    few = ["data.cache_dir=null", *of_few_images(study)]
    code = main.main(["train", study, *TINY, f"data.root={root}", *few])
    said = capsys.readouterr()
    assert code == 0, said.err + said.out
    assert "complete" in said.out
