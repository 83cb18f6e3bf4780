"""The recipes of BYOL, MSR, SimSiam and MoCo: published numbers, and digits without collapse."""

import math

import pytest
import torch
import torch.nn.functional as F
from hydra.utils import instantiate

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits

LIKE_MSR = ("msr", "byol", "moco")
STUDIES = (*LIKE_MSR, "simsiam", "simsiam_msr")


def at_cifar10(study, part, *overrides):
    settings = compose.load(study, ["data=cifar10", *overrides])
    return instantiate(settings[part], _convert_="all")


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("study", LIKE_MSR)
@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 0.1), (100.7, 0.05), (199.9, 0.05 * (1 + math.cos(math.pi * 0.995)))]
)
def test_the_learning_rate_falls_from_a_tenth_in_a_cosine_of_one_step_an_epoch(study, epoch, rate):
    base = compose.load(study, ["data=cifar10"]).optimizer.lr
    assert base * at_cifar10(study, "lr_schedule")(epoch, 200) == pytest.approx(rate)


@pytest.mark.parametrize("study", LIKE_MSR)
def test_weight_decay_reaches_batch_norm_and_biases_too(study):
    head = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    (group,) = at_cifar10(study, "optimizer")(head.parameters()).param_groups
    assert (group["weight_decay"], group["momentum"]) == (5e-4, 0.9)
    assert len(group["params"]) == 4


@pytest.mark.parametrize("study", ["msr", "byol"])
def test_heads_on_a_resnet18_are_1024_wide_and_end_in_128_without_bias(study):
    method = at_cifar10(study, "method")
    # The authors' first layer has a bias too, which the batch norm behind it takes out.
    assert count(method.projector) == 512 * 1024 + 2 * 1024 + 1024 * 128
    assert count(method.predictor) == 128 * 1024 + 2 * 1024 + 1024 * 128
    assert count(method.target) == count(method.encoder) + count(method.projector)
    assert count(method.encoder) == pytest.approx(11.17e6, rel=1e-3)
    assert not any(parameter.requires_grad for parameter in method.target.parameters())


@pytest.mark.parametrize("study", ["simsiam", "simsiam_msr"])
def test_simsiams_heads_are_those_of_the_papers_cifar_appendix(study):
    method = at_cifar10(study, "method")
    assert count(method.projector) == 512 * 2048 + 2048**2 + 2 * 2048
    assert count(method.predictor) == 2048 * 512 + 2 * 512 + 512 * 2048 + 2048


def test_simsiams_crops_keep_a_fifth_of_the_image_at_least_and_nothing_blurs():
    transforms = compose.load("simsiam", ["data=cifar10"]).augment.transforms
    assert transforms.crop.scale_min == 0.2
    assert list(transforms) == ["crop", "jitter", "grey"]


def test_byols_second_view_is_made_as_its_first_unless_another_is_chosen():
    same = compose.load("byol", ["data=cifar10"])
    assert same.method.other_augment == same.augment
    weak = compose.load("byol", ["data=cifar10", "augment@other_augment=weak"])
    assert list(weak.method.other_augment.transforms) == ["crop"]
    assert weak.augment == same.augment


@pytest.mark.parametrize("study", STUDIES)
def test_three_epochs_of_digits_keep_embeddings_apart(study):
    settings = compose.load(study, ["device=cpu", "max_epochs=3"])
    splits = load_splits(settings)
    a_trainer = build_trainer(settings, splits)
    for _ in a_trainer.epochs():
        pass
    method = a_trainer.method.eval()
    with torch.no_grad():
        images = splits.val.pixels(slice(256))
        embeddings = F.normalize(method.projector(method.encoder(images)), dim=1)
    # 1 if directions are uniform on the sphere, 0 if all are one; untrained, MoCo has 0.03.
    assert embeddings.std(dim=0).norm() > 0.25


def test_beta_and_the_targets_momentum_count_updates_from_one_as_msrs_code_does():
    settings = compose.load("msr", ["device=cpu", "max_epochs=1", "encoder.widths=[8,16]"])
    trainer = build_trainer(settings, load_splits(settings))
    total, base = trainer.steps_per_epoch, settings.method.beta_base
    for index, batch in enumerate(trainer._batches.epoch(0)):
        beta = trainer._update(batch, trainer._progress(index))["beta"].item()
        expected = base * (math.cos(math.pi * (index + 1) / total) + 1) / 2
        assert beta == pytest.approx(expected, abs=1e-6)
    assert beta == pytest.approx(0, abs=1e-9)
