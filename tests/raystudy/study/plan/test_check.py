"""What is checked and noted before anything starts."""

import pytest
from pictures import class_folders

from raystudy.config import compose
from raystudy.study.plan.check import check_plan


@pytest.mark.parametrize(
    ("encoder", "is_noted"), [("resnet18", True), ("resnet50_imagenet", False)]
)
def test_a_stem_for_small_images_is_noted_where_they_are_large(tmp_path, encoder, is_noted):
    root = class_folders(tmp_path, splits=("",), each=10, height=112, width=112)
    data = ["data=image_folder", f"data.root={root}", "data.image_size=112"]
    settings = compose.load("simclr", [*data, f"encoder={encoder}", "batch_size=8"])
    notes = check_plan(settings).notes
    assert any("encoder.stem=cifar is for images of 32 to 64" in note for note in notes) == is_noted
