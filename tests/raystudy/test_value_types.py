"""Values of the wrong type."""

import pytest
from PIL import Image

from raystudy import config, plan, value_types
from raystudy.errors import UserError


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("optimizer.lr=abc", "optimizer.lr must be a number, got 'abc'."),
        ("optimizer.lr=null", "optimizer.lr must be a number, got null."),
        ("seed=a", "seed must be a whole number, got 'a'."),
        ("max_epochs=2.5", "max_epochs must be a whole number, got 2.5."),
        ("attack.steps=true", "attack.steps must be a whole number, got True."),
        ("device=tpu", "device must be one of auto, cpu, cuda, got 'tpu'."),
        ("trainer.compile=3", "trainer.compile must be true or false, got 3."),
        (
            "attack.start=here",
            "attack.start must be one of ball, sphere, radius_uniform, zero, got 'here'.",
        ),
        ("encoder.widths=3", "encoder.widths must be a list, such as [1,2], got 3."),
        ("study.num_trials=many", "study.num_trials must be a whole number, got 'many'."),
        ("scaling.max_concurrent=a", "scaling.max_concurrent must be a whole number or null, "),
        ("tracker.patience=long", "tracker.patience must be a number, got 'long'."),
    ],
)
def test_a_wrong_type_is_one_sentence(override, sentence):
    with pytest.raises(UserError) as refused:
        value_types.check(config.load("swaro", [override]))
    assert str(refused.value).startswith(sentence)


def test_what_refers_to_a_setting_names_that_setting():
    with pytest.raises(UserError, match=r"^data\.image_size must be a whole number or null"):
        value_types.check(config.load("swaro", ["data=image_folder", "data.image_size=big"]))


@pytest.mark.parametrize("override", ["optimizer.lr=1", "attack.step_size=1e-3", "seed=-1"])
def test_what_fits_is_taken(override):
    value_types.check(config.load("swaro", [override]))


@pytest.mark.parametrize("study", config.study_names())
def test_every_study_as_it_stands_fits(study):
    value_types.check(config.load(study, []))


@pytest.mark.parametrize("study", ["at", "simclr_ce", "suncet", "swaro"])
def test_how_many_classes_a_folder_has_is_known_once_it_is_read(study, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(30):
            Image.new("L", (8, 8), number).save(tmp_path / name / f"{number}.png")
    overrides = [
        *("data=image_folder", f"data.root={tmp_path}", "data.image_size=8", "data.channels=1"),
        *("encoder=small_conv", "batch_size=8"),
        *("data.splits.val_share=0.3", "data.splits.test_share=0.3"),
    ]
    own = {
        "swaro": ["clusters.num_clusters=3"],
        "suncet": ["labels.fraction=1.0", "labels.images_per_class=2"],
        "simclr_ce": ["labels.fraction=1.0", "labels.images_per_class=2"],
    }
    settings = config.load(study, [*overrides, *own.get(study, [])])
    findings = plan.check(settings)
    assert "2 classes" in findings.images
