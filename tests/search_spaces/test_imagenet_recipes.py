"""The recipes at ImageNet's size: the papers' numbers, and a step and a measure on stand-ins."""

import math

import pytest
from hydra.utils import instantiate
from packs import packed_images
from pictures import jpeg

from raystudy.config import catalogue, compose
from raystudy.trial.build import build_evaluators, build_trainer, load_splits
from trainables.data.imagenet import listed_classes

SETS = ("imagenet", "imagenet100", "restricted_imagenet", "tiny_imagenet")
RECIPES = [
    (study, data)
    for study in catalogue.study_names()
    for data in SETS
    if catalogue.find_yaml(f"recipe/{study}/{data}")
]
SMALL = [
    *("encoder=small_conv", "encoder.widths=[4,8]", "batch_size=16", "max_epochs=1", "device=cpu"),
    *("data.image_size=12", "data.threads=1", "trainer.precision=float32"),
]
FEW_LABELS = ["labels.fraction=1.0", "labels.draws=2", "labels.classes_per_batch=2"]
FEW = dict.fromkeys(("suncet", "simclr_ce", "suncet_swav"), FEW_LABELS)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """All of ImageNet-100's classes among 1,000, and images of some that every set has some of."""
    others = iter(f"m{n:08d}" for n in range(1000))
    listed = iter(listed_classes(None))
    classes = sorted(next(listed if n < 100 else others) for n in range(1000))
    numbers = [classes.index(name) for name in listed_classes(None)[:3]] + [151, 281, 390]
    images = {
        split: [
            (f"{split}/{classes[label]}/{n}.jpg", label, jpeg(label + n, 14, 18))
            for n in range(count)
            for label in numbers
        ]
        for split, count in (("train", 8), ("val", 4), ("test", 4))
    }
    return packed_images(images, classes, tmp_path_factory.mktemp("pack"))


@pytest.mark.parametrize(("study", "data"), RECIPES)
def test_it_trains_and_is_measured_on_a_stand_in(study, data, pack):
    settings = compose.load(
        study, [f"data={data}", f"data.root={pack}", *SMALL, *FEW.get(study, [])]
    )
    splits = load_splits(settings)
    assert splits.num_classes == settings.data.num_classes
    trainer = build_trainer(settings, splits)
    (result,) = trainer.epochs()
    assert math.isfinite(result.metrics["train/loss"])
    for evaluate in build_evaluators(settings).values():
        for value in evaluate(trainer.method, splits).values():
            assert math.isfinite(value)


@pytest.mark.parametrize(("study", "data"), RECIPES)
def test_another_option_of_a_group_replaces_the_recipes(study, data):
    chosen = ["optimizer=adamw", "lr_schedule=constant", "attack=pgd_linf", "augment=weak"]
    settings = compose.load(study, [f"data={data}", *chosen, "evaluate=probe"])
    for text in (*chosen, "evaluate=probe"):
        group, _, option = text.partition("=")
        plain = compose.load("simclr", ["data=cifar10", f"{group}={option}"])
        kept = {"lr", "weight_decay", "momentum"}  # where a recipe has its own
        ours, theirs = settings[group], plain[group]
        assert set(ours) - kept == set(theirs) - kept


def test_suncets_batch_is_that_of_64_gpus():
    ten, one = (
        compose.load("suncet", ["data=imagenet", *more])
        for more in ([], ["labels.fraction=0.01", "labels.switch_off=30"])
    )
    assert ten.batch_size == 44 * 64
    assert ten.labels.classes_per_batch * ten.labels.images_per_class * ten.labels.draws == 40 * 64
    assert (ten.labels.switch_off, one.labels.switch_off) == (250, 30)
    factor = instantiate(ten.lr_schedule)
    rates = [ten.optimizer.lr * factor(epoch, 500) for epoch in (0, 10, 500)]
    assert rates == pytest.approx([0.6, 4.8, 0.048])


def test_msrs_rate_warms_up_for_ten_epochs_of_either_length():
    for more, top in (
        ([], 4.8),
        (["max_epochs=100", "optimizer.lr=7.2", "lr_schedule.warmup=0.1"], 7.2),
    ):
        msr = compose.load("msr", ["data=imagenet", *more])
        rates = [
            msr.optimizer.lr * instantiate(msr.lr_schedule)(e, msr.max_epochs) for e in (0, 5, 10)
        ]
        assert rates == pytest.approx([0, top / 2, top])
        assert msr.batch_size == 2048
