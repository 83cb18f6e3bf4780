"""Fine-tuning, clean and by TRADES, on all labels or few."""

import copy
import functools
import math

import pytest
import torch
from toy_encoders import BrightnessAndTexture, Flat, two_classes

from trainables.attacks.balls import LinfBall
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Pipeline
from trainables.data.digits import digits
from trainables.data.image_set import ImageSet, Splits
from trainables.data.labelled_batches import Supervision
from trainables.optim.schedules import Constant
from trainables.protocols.adversarial_finetuning import AdversarialFineTuning
from trainables.protocols.as_trained import AsTrained
from trainables.protocols.base import finish, measure
from trainables.protocols.finetuning import FineTuning
from trainables.protocols.fitting import Fit
from trainables.protocols.label_share import LabelShare

EPSILON = 0.08


def fit(max_epochs=5, batch_size=16, lr=0.5):
    return Fit(
        optimizer=functools.partial(torch.optim.SGD, lr=lr, momentum=0.9),
        lr_schedule=Constant(),
        max_epochs=max_epochs,
        batch_size=batch_size,
    )


def fine_tuning(a_fit=None, **settings):
    return FineTuning(fit=a_fit or fit(), augment=Pipeline(), **settings)


def adversarial(a_fit=None, **settings):
    attack = PGD(ball=LinfBall(epsilon=EPSILON), step_size=EPSILON / 2, steps=3)
    settings = {"weight": 6.0, **settings}
    return AdversarialFineTuning(fit=a_fit or fit(), augment=Pipeline(), attack=attack, **settings)


@pytest.mark.parametrize("protocol", [fine_tuning(), adversarial()])
def test_it_learns_what_can_be_learned(protocol):
    splits = two_classes()
    assert measure(finish(protocol(Flat(batch_norm=True), splits)), splits)["val/accuracy"] == 1


@pytest.mark.parametrize("protocol", [fine_tuning(), adversarial()])
def test_it_begins_undecided_and_moves_a_copy_of_the_encoder(protocol):
    encoder = Flat(batch_norm=True)
    before = copy.deepcopy(encoder.state_dict())
    fitting = protocol(encoder, two_classes())
    assert not fitting.classifier(torch.rand(3, 1, 2, 2)).any()
    tuned = finish(fitting).encoder.state_dict()
    for name in ("scale", "norm.running_mean"):
        assert torch.equal(encoder.state_dict()[name], before[name])
        assert not torch.equal(tuned[name], before[name])


@pytest.mark.parametrize("protocol", [fine_tuning, adversarial])
def test_the_first_loss_is_that_of_a_guess(protocol):
    # Zero weights: every class is as likely, attacked or not.
    first = next(protocol(fit(batch_size=64))(Flat(), two_classes()).epochs())
    assert first.metrics["train/loss"] == pytest.approx(math.log(2), abs=1e-6)


def test_trades_without_weight_is_clean_fine_tuning():
    clean = finish(fine_tuning()(Flat(), two_classes())).state_dict()
    found = finish(adversarial(weight=0.0)(Flat(), two_classes())).state_dict()
    for name, value in clean.items():
        torch.testing.assert_close(found[name], value)


def worst_case_accuracy(classifier, images):
    """Of a linear network of two classes: epsilon times the l1 length of its slope is exact."""
    x = images.pixels(slice(None)).requires_grad_()
    logits = classifier(x)
    margin = (2 * images.labels - 1) * (logits[:, 1] - logits[:, 0])
    (slope,) = torch.autograd.grad(margin.sum(), x)
    return (margin > EPSILON * slope.abs().sum((1, 2, 3))).float().mean().item()


def test_trades_unlearns_what_does_not_last():
    splits = two_classes()
    a_fit = fit(max_epochs=30, lr=0.05)
    clean = finish(fine_tuning(a_fit)(BrightnessAndTexture(), splits))
    robust = finish(adversarial(a_fit)(BrightnessAndTexture(), splits))
    assert worst_case_accuracy(clean, splits.val) == 0
    assert worst_case_accuracy(robust, splits.val) == 1


def test_trades_cannot_start_where_there_is_no_slope():
    with pytest.raises(ValueError, match="start_noise"):
        adversarial(start_noise=0.0)


def test_the_share_of_labels_is_the_one_training_draws():
    train = digits().train
    members = Supervision(fraction=0.1, images_per_class=2, seed=5).members(train.labels)
    found = LabelShare(fraction=0.1, seed=5).of(train)
    rows = torch.cat(members).sort().values
    assert torch.equal(found.images, train.images[rows])
    assert torch.equal(found.labels, train.labels[rows])
    assert len(found) == pytest.approx(0.1 * len(train), rel=0.3)


def test_all_labels_are_all_labels_and_images_without_are_left_out():
    images = torch.arange(12).to(torch.uint8).view(12, 1, 1, 1)
    partly = ImageSet(images, torch.arange(8) % 2)
    assert torch.equal(LabelShare().of(partly).images, images[:8])


def test_only_labelled_images_are_trained_on():
    splits = two_classes()
    share = LabelShare(fraction=0.5)
    result = next(fine_tuning(fit(batch_size=999), labels=share)(Flat(), splits).epochs())
    assert result.metrics["cost/images"] == len(share.of(splits.train)) < 64


@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_a_share_is_a_share(fraction):
    with pytest.raises(ValueError, match=r"labels\.fraction"):
        LabelShare(fraction=fraction)


def test_too_few_labels_are_told():
    with pytest.raises(ValueError, match=r"labels\.fraction=0\.001"):
        LabelShare(fraction=0.001).of(digits().train)


def test_a_methods_own_head_is_taken_as_it_is():
    encoder, head = Flat(), torch.nn.Linear(4, 2)
    fitting = AsTrained()(encoder, two_classes(), head=head)
    images = torch.rand(5, 1, 2, 2)
    assert torch.equal(finish(fitting)(images), head(encoder(images)))
    assert head.weight.requires_grad
    with pytest.raises(ValueError, match="trains a head"):
        AsTrained()(encoder, two_classes())


def test_measures_are_of_the_split_asked_for():
    splits = two_classes()
    classifier = finish(fine_tuning()(Flat(), splits))
    wrong = ImageSet(splits.test.images, 1 - splits.test.labels)
    spoiled = Splits(splits.train, splits.val, wrong, splits.classes)
    # 0 of 32 wrong: 1 - 0.025 ** (1 / 32) may still be so in truth.
    reach = 0.025 ** (1 / 32)
    assert measure(classifier, spoiled) == pytest.approx(
        {"val/accuracy": 1, "val/accuracy_low": reach, "val/accuracy_high": 1}
    )
    assert measure(classifier, spoiled, "test") == pytest.approx(
        {"test/accuracy": 0, "test/accuracy_low": 0, "test/accuracy_high": 1 - reach}
    )
    with pytest.raises(ValueError, match="val or test"):
        measure(classifier, splits, "train")
