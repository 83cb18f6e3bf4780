"""Settings chosen on validation images, and encoders on other data than their own."""

import functools

import pytest
import torch
from toy_encoders import Flat, two_classes

from trainables.augment.pipeline import Pipeline
from trainables.data.digits import digits
from trainables.data.image_set import ImageSet, Splits
from trainables.networks.small_conv import SmallConv
from trainables.optim.schedules import Constant
from trainables.protocols.base import finish, measure
from trainables.protocols.finetuning import FineTuning
from trainables.protocols.fitting import Fit
from trainables.protocols.grid import Grid
from trainables.protocols.linear_evaluation import LinearEvaluation
from trainables.protocols.transfer import Adapted, Transfer
from trainables.trainer import TrainingDivergedError


def fit(lr=0.5, max_epochs=3, seed=0):
    return Fit(
        optimizer=functools.partial(torch.optim.SGD, lr=lr, weight_decay=0.0),
        lr_schedule=Constant(),
        max_epochs=max_epochs,
        batch_size=16,
        seed=seed,
    )


def tuning(lr=0.5):
    # The first weights of this seed are wrong about the two classes.
    return FineTuning(fit=fit(lr, seed=1), augment=Pipeline(), init_std=None)


def one_wrong_label_in_eight(train):
    labels = train.labels.clone()
    labels[:8] = 1 - labels[:8]
    return ImageSet(train.images, labels)


def without_test_images():
    splits = two_classes()
    none = ImageSet(splits.test.images[:0], splits.test.labels[:0])
    return Splits(one_wrong_label_in_eight(splits.train), splits.val, none, splits.classes)


def test_the_grid_keeps_what_is_best_on_validation_and_never_looks_at_test():
    splits = without_test_images()
    # The first overflows, the second keeps its first weights, and ties go to the third.
    grid = Grid(protocol=tuning(), learning_rates=[1e30, 1e-30, 0.5, 0.6])
    fitting = grid(Flat(), splits)
    found = list(fitting.epochs())
    accuracies = [r.metrics["val/accuracy"] for r in found if "val/accuracy" in r.metrics]
    assert accuracies == [0.5, 1.0, 1.0]
    assert [r.metrics["grid/lr"] for r in found if "grid/diverged" in r.metrics] == [1e30]
    direct = finish(tuning(0.5)(Flat(), splits)).state_dict()
    for name, value in fitting.classifier.state_dict().items():
        assert torch.equal(value, direct[name])
    assert fitting.epoch == found[-1].epoch == fitting.max_epochs == 12


def test_every_learning_rate_meets_every_weight_decay():
    protocol = LinearEvaluation(fit=fit(), augment=Pipeline())
    grid = Grid(
        protocol=protocol, learning_rates=[0.1, 0.01], weight_decays=[0.0, 1e-3], divide_decay=True
    )
    assert grid.points == [(0.1, 0.0), (0.1, 1e-3), (0.01, 0.0), (0.01, 1e-3)]
    (group,) = grid.at(3).fit.optimizer([torch.zeros(1, requires_grad=True)]).param_groups
    assert (group["lr"], group["weight_decay"]) == pytest.approx((0.01, 0.1))


def test_when_all_diverge_that_is_the_result():
    fitting = Grid(protocol=tuning(), learning_rates=[1e30])(Flat(), without_test_images())
    with pytest.raises(TrainingDivergedError, match="every learning rate"):
        finish(fitting)


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rates": []},
        {"learning_rates": [0.0]},
        {"learning_rates": [0.1], "weight_decays": [-1.0]},
    ],
)
def test_a_grid_of_nothing_is_refused(settings):
    with pytest.raises(ValueError, match=r"learning_rates|weight_decays"):
        Grid(protocol=tuning(), **settings)


def colour_encoder():
    torch.manual_seed(0)
    return SmallConv(channels=3, widths=[8, 16], mean=[0.5] * 3, std=[0.25] * 3).eval()


def test_an_encoder_of_colours_serves_grey_digits_of_another_size():
    splits = digits()
    linear = LinearEvaluation(fit=fit(lr=0.1, max_epochs=5), augment=Pipeline())
    transfer = Transfer(protocol=linear, image_size=4, channels=3)
    classifier = finish(transfer(Flat(3 * 4 * 4), splits, head=torch.nn.Linear(48, 100)))
    assert classifier(splits.val.pixels(slice(4))).shape == (4, 10)
    assert measure(classifier, splits)["val/accuracy"] > 0.8  # 16 pixels tell digits apart


def test_the_encoder_sees_grey_as_three_equal_colours_and_colours_as_their_mean():
    encoder, grey = colour_encoder(), torch.rand(2, 1, 8, 8)
    found = Adapted(encoder, channels=3)(grey)
    assert torch.equal(found, encoder(grey.expand(-1, 3, -1, -1)))
    single = SmallConv(channels=1, widths=[4], mean=[0.5], std=[0.5]).eval()
    colour = torch.rand(2, 3, 8, 8)
    assert torch.equal(Adapted(single, channels=1)(colour), single(colour.mean(1, keepdim=True)))


def test_images_that_fit_are_not_touched():
    encoder, images = colour_encoder(), torch.rand(2, 3, 8, 8)
    for adapted in (Adapted(encoder), Adapted(encoder, 8, 3)):
        assert torch.equal(adapted(images), encoder(images))


def test_a_resized_image_keeps_its_brightness_and_passes_gradients():
    encoder = Flat(16)
    images = torch.full((1, 1, 8, 8), 0.75, requires_grad=True)
    found = Adapted(encoder, 4)(images)
    torch.testing.assert_close(found, torch.full((1, 16), 0.5))  # (0.75 - 0.5) / 0.5
    found.sum().backward()
    torch.testing.assert_close(images.grad.sum(), torch.tensor(32.0))  # 16 pixels / 0.5


@pytest.mark.parametrize("settings", [{"channels": 2}, {"image_size": 0}])
def test_sizes_that_cannot_be_are_refused(settings):
    with pytest.raises(ValueError, match=r"channels|image_size"):
        Transfer(protocol=tuning(), **settings)
