"""Values of the wrong type."""

import pytest
from PIL import Image

from raystudy.config import catalogue, compose, value_types
from raystudy.errors import UserError
from raystudy.search.search_space import SearchSpace
from raystudy.study.plan import check


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
        (
            "optimizer.lr=[0.1,0.2]",
            "optimizer.lr must be a number, got [0.1, 0.2]; to search these values, sweep with "
            "'optimizer.lr=choice(0.1,0.2)'.",
        ),
        (
            "max_epochs=[1]",
            "max_epochs must be a whole number, got [1]; leave out the brackets.",
        ),
        ("seed=[1,2]", "seed must be a whole number, got [1, 2]."),
        ("study.num_trials=[3,4]", "study.num_trials must be a whole number, got [3, 4]."),
        ("study.points=3", "study.points must be a list, such as [1,2], got 3."),
        ("study.allow_repeats=[true]", "study.allow_repeats must be true or false, got [True]"),
        ("scaling.num_workers=[2]", "scaling.num_workers must be a whole number, got [2]"),
        ("device=[cpu]", "device must be one of auto, cpu, cuda, got ['cpu']"),
        ("optimizer.lr={a:1}", "optimizer.lr must be a number, got {'a': 1}."),
        ("optimizer.lr=nan", "optimizer.lr must be a number, got nan."),
        ("attack.ball.epsilon=inf", "attack.ball.epsilon must be a number, got inf."),
        ("attack.ball.epsilon=[1,2]", "attack.ball.epsilon must be a number, got [1, 2]; to"),
        ("clusters.probability=[0.5]", "clusters.probability must be a number, got [0.5]; leave"),
        ("encoder.widths=[a]", "encoder.widths must be a list, such as [1,2], got ['a']."),
        ("encoder.widths=[[1]]", "encoder.widths must be a list, such as [1,2], got [[1]]."),
        ("sampler.n_startup_trials=[3,4]", "sampler.n_startup_trials must be a whole number, got"),
        ("trainer=3", "trainer is a section, got 3; "),
    ],
)
def test_a_wrong_type_is_one_sentence(override, sentence):
    with pytest.raises(UserError) as refused:
        value_types.check(compose.load("swaro", [override]))
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("value", ["abc", "null", "nan", "[0.1,0.2]", "true"])
def test_an_optimizer_of_torch_takes_a_number_too(value):
    with pytest.raises(UserError, match=r"^optimizer\.lr must be a number, got"):
        value_types.check(compose.load("at", [f"optimizer.lr={value}"]))


def test_a_list_that_others_are_reckoned_from_is_refused_as_what_it_is():
    with pytest.raises(UserError, match=r"^attack\.ball\.epsilon must be a number, got \[1\]"):
        SearchSpace.load("swaro", ["attack.ball.epsilon=[1]"])


@pytest.mark.parametrize("value", ["3", "null", "true", "[sgd]", "{lr:0.1}"])
def test_a_group_takes_the_name_of_an_option(value):
    with pytest.raises(UserError, match=r"optimizer must be the name of an option.*sgd"):
        compose.load("swaro", [f"optimizer={value}"])


def test_what_refers_to_a_setting_names_that_setting():
    with pytest.raises(UserError, match=r"^data\.image_size must be a whole number or null"):
        value_types.check(compose.load("swaro", ["data=image_folder", "data.image_size=big"]))


@pytest.mark.parametrize("override", ["optimizer.lr=1", "attack.step_size=1e-3", "seed=-1"])
def test_what_fits_is_taken(override):
    value_types.check(compose.load("swaro", [override]))


@pytest.mark.parametrize("study", catalogue.study_names())
def test_every_study_as_it_stands_fits(study):
    value_types.check(compose.load(study, []))


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
    settings = compose.load(study, [*overrides, *own.get(study, [])])
    findings = check.check_plan(settings)
    assert "2 classes" in findings.images
