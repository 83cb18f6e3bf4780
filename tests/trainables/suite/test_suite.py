"""A suite measures what its parts would, goes on where it was cut off, and calls masking out."""

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from toy_classifiers import toy_images

from trainables import random_state
from trainables.attacks.auto_attack import AutoAttack
from trainables.attacks.balls import L1Ball, L2Ball, LinfBall
from trainables.attacks.white_box import WhiteBoxPGD
from trainables.augment.pipeline import Pipeline
from trainables.data.digits import digits
from trainables.data.image_set import Splits
from trainables.networks.small_conv import SmallConv
from trainables.optim.schedules import Constant
from trainables.protocols.batch_size import fitting_batch_size
from trainables.protocols.finetuning import FineTuning
from trainables.protocols.fitting import Fit
from trainables.protocols.label_share import LabelShare
from trainables.protocols.linear_evaluation import LinearEvaluation
from trainables.protocols.quick import Quick
from trainables.suite.masking import signs_of_masking
from trainables.suite.masking_checks import MaskingChecks
from trainables.suite.robustness import RobustnessCurve
from trainables.suite.suite import Measurement, Suite

PGD = WhiteBoxPGD(ball=LinfBall(epsilon=0.06), relative_step=0.25, steps=8)
FEW = MaskingChecks(max_images=10, steps=[2, 3], restarts=2, queries=4, unbounded_steps=3)


@pytest.fixture(scope="module")
def splits():
    whole = digits()
    parts = (part.rows(slice(size)) for part, size in ((whole.train, 256), (whole.val, 40)))
    train, val = parts
    return Splits(train, val, whole.test.rows(slice(60)), whole.classes)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return SmallConv(channels=1, widths=[8, 16], mean=[0.3], std=[0.4])


def a_suite(**changes):
    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=0.1)

    fit = Fit(optimizer=sgd, lr_schedule=Constant(), max_epochs=2, batch_size=64)
    settings = {
        "protocols": {
            "quick": Quick(),
            "linear": LinearEvaluation(fit=fit, augment=Pipeline(transforms={})),
        },
        "attacks": {
            "pgd_linf": RobustnessCurve(adversary=PGD, epsilons=[0.02, 0.06]),
            "pgd_l2": RobustnessCurve(
                adversary=WhiteBoxPGD(ball=L2Ball(epsilon=0.3), relative_step=0.25, steps=4)
            ),
        },
        "checks": FEW,
        "batch_size": 25,
    }
    return Suite(**{**settings, **changes})


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def without_seconds(results):
    return {
        name: {key: value for key, value in found.items() if key != "seconds"}
        for name, found in results.items()
    }


def test_interrupted_anywhere_is_uninterrupted(encoder, splits, tmp_path):
    straight = Measurement(a_suite(), encoder, splits)
    steps = [tuple(step) for step in straight.steps()]
    expected = without_seconds(straight.results())
    assert straight.is_done
    for stop in (1, len(steps) // 2, len(steps) - 1):
        first = Measurement(a_suite(), encoder, splits)
        got = [tuple(step) for step in itertools.islice(first.steps(), stop)]
        torch.save(first.state_dict(), tmp_path / "state")
        torch.randn(3)
        second = Measurement(a_suite(), encoder, splits)
        second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
        rest = [tuple(step) for step in second.steps()]
        assert [*got, *rest] == steps
        assert same(without_seconds(second.results()), expected)


def test_measuring_moves_nothing(encoder, splits):
    encoder.train()
    before, streams = copy.deepcopy(encoder.state_dict()), random_state.capture()
    measurement = Measurement(a_suite(), encoder, splits)
    for _ in measurement.steps():
        now = random_state.capture()
        assert torch.equal(now["torch"], streams["torch"])
    assert encoder.training
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_the_methods_own_head_is_what_quick_measures(encoder, splits):
    torch.manual_seed(3)
    head = nn.Linear(16, 10)
    suite = a_suite(protocols={"quick": Quick()}, attacks={}, checks=None)
    measurement = Measurement(suite, encoder, splits, head)
    list(measurement.steps())
    with torch.no_grad():
        logits = head(encoder.eval()(splits.test.pixels(slice(None))))
    assert torch.equal(
        measurement.results()["quick"]["clean"], logits.argmax(dim=1) == splits.test.labels
    )


def test_a_search_may_measure_on_validation_images(encoder, splits):
    suite = a_suite(protocols={"quick": Quick()}, attacks={}, split="val", max_images=30)
    measurement = Measurement(suite, encoder, splits)
    list(measurement.steps())
    assert len(measurement.results()["quick"]["clean"]) == 30


def test_an_ensemble_in_a_suite_leaves_no_more_than_its_attacks_alone(encoder, splits):
    ensemble = AutoAttack(ball=LinfBall(epsilon=0.06), steps=10, targets=2, queries=50)
    whole = RobustnessCurve(adversary=ensemble, epsilons=[0.02])
    attacks = {"alone": replace(whole, adversary=ensemble.attacks["apgd_t"]), "whole": whole}
    suite = a_suite(protocols={"quick": Quick()}, attacks=attacks, checks=None)
    measurement = Measurement(suite, encoder, splits)
    for _ in measurement.steps():
        pass
    found = measurement.results()["quick"]["attacks"]
    assert found["whole"]["right"].sum() > 0
    assert not (found["whole"]["right"] & ~found["alone"]["right"]).any()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_of_a_suite_is_that_of_its_attacks(encoder, splits, precision):
    suite = a_suite(protocols={"quick": Quick()}, checks=None, precision=precision)
    seen = set()
    hook = register_module_forward_hook(lambda _, __, found: seen.add(found.dtype))
    list(Measurement(suite, encoder, splits).steps())
    hook.remove()
    assert seen == {torch.float32, getattr(torch, precision)}


class Masked(nn.Module):
    """A classifier whose input is rounded, which hides its gradient from white-box attacks."""

    def __init__(self, model, levels):
        super().__init__()
        self.model, self.levels = model, levels

    def forward(self, images):
        return self.model((images * self.levels).round() / self.levels)


class Saturated(nn.Module):
    """A classifier so sure of itself that float32 has no gradient left (Carlini & Wagner 2016)."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return 1e5 * self.model(images)


@pytest.mark.parametrize(
    ("ball", "queries"),
    [
        (LinfBall(epsilon=0.09), 500),
        (L2Ball(epsilon=0.8), 500),
        pytest.param(L1Ball(epsilon=6), 150, marks=pytest.mark.slow),
    ],
)
def test_gradients_that_are_hidden_are_called_out_and_plain_ones_are_not(ball, queries):
    model, images = toy_images(200)
    checks = MaskingChecks(max_images=120, queries=queries, restarts=3, unbounded_steps=50)
    found = {}
    for name, network in (
        ("plain", model),
        ("rounded", Masked(model, 20)),
        ("saturated", Saturated(model)),
    ):
        *_, evidence = checks.gather(network, ball, images, batch_size=120, seed=0)
        found[name] = signs_of_masking(evidence)
    assert found["plain"] == []
    for hidden in ("rounded", "saturated"):
        assert any("not zero" in words for words in found[hidden]), hidden
        assert any("gradient of exactly zero" in words for words in found[hidden]), hidden
    assert any("Square" in words for words in found["rounded"])
    assert any("lost its gradient" in words for words in found["saturated"])


class AtRandom(nn.Module):
    """A classifier of noisy images (Xie et al. 2018 and the like)."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images + 0.02 * torch.randn_like(images))


class Unhinged(nn.Module):
    """A classifier right about every image, but nothing can be derived: NaN, or no graph."""

    def __init__(self, model, slope):
        super().__init__()
        self.model, self.slope = model, slope

    def forward(self, images):
        logits = self.model(images.detach())
        if self.slope is None:
            return logits
        return logits + 0 * (images - images.detach()).abs().sqrt().sum()


class HalfDetached(nn.Module):
    """A classifier whose gradient knows of half the image only."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        left, right = images.chunk(2, dim=3)
        return self.model(torch.cat([left.detach(), right], dim=3))


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (HalfDetached, "The gradient disagrees with finite differences"),
        (AtRandom, "change when computed again"),
        (lambda model: model.train(), "change when computed again"),
        (lambda model: Unhinged(model, slope=None), "100.0 % of the images have a gradient of"),
        (lambda model: Unhinged(model, slope="nan"), "100.0 % of the images have a gradient of"),
    ],
)
def test_what_no_attack_can_judge_is_called_out(wrap, words):
    model, images = toy_images(60)
    network = wrap(nn.Sequential(nn.BatchNorm2d(1), copy.deepcopy(model)).eval())
    *_, evidence = FEW.gather(network, LinfBall(epsilon=0.09), images, batch_size=60, seed=0)
    assert any(words in sign for sign in signs_of_masking(evidence))


def test_as_many_images_as_memory_holds_are_a_power_of_two():
    model, images = toy_images(2)
    size = fitting_batch_size(model, images.pixels(slice(1))[0])
    assert size in {2**n for n in range(9)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocols": {}}, "at least one protocol"),
        ({"split": "train"}, "val or test, got 'train'"),
        ({"max_images": 0}, "suite.max_images, if not null, must be a whole number of at least 1"),
        ({"batch_size": 2.5}, "suite.batch_size, if not null, must be a whole number"),
        ({"precision": "half"}, "suite.precision must be float32 or bfloat16, got 'half'"),
        ({"seed": "abc"}, "suite.seed must be a whole number of at least 0, got abc"),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        a_suite(**changes)


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": []},
        {"steps": [0]},
        {"steps": [2.5]},
        {"max_images": 0},
        {"restarts": 1},
        {"queries": 0},
        {"unbounded_steps": 0},
    ],
)
def test_checks_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=f"suite.checks.{next(iter(settings))} must be a"):
        MaskingChecks(**settings)


def test_too_few_labels_are_refused_before_anything_is_measured(encoder, splits):
    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=0.1)

    fit = Fit(optimizer=sgd, lr_schedule=Constant(), max_epochs=2, batch_size=64)
    few = FineTuning(fit=fit, augment=Pipeline(transforms={}), labels=LabelShare(fraction=0.005))
    suite = a_suite(protocols={"quick": Quick(), "few": few})
    with pytest.raises(ValueError, match=r"0\.005 of 256 images leaves a class"):
        next(Measurement(suite, encoder, splits).steps())
