"""Linear evaluation: the layer of a loop written out, on features that nobody moves."""

import copy
import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toy_encoders import BrightnessAndTexture, Flat, two_classes

from trainables.attacks.balls import LinfBall
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Pipeline
from trainables.data.batches import ShuffledBatches
from trainables.data.digits import digits
from trainables.data.image_set import ImageSet, Splits
from trainables.modes import isolated_rng
from trainables.networks import split_batch_norm
from trainables.networks.small_conv import SmallConv
from trainables.optim.schedules import Constant, Steps
from trainables.protocols.base import finish, linear_head, measure
from trainables.protocols.fitting import Fit
from trainables.protocols.linear_evaluation import LinearEvaluation
from trainables.trainer import TrainerOptions

EPSILON = 0.08


def fit(lr=1.0, max_epochs=10, batch_size=16, **settings):
    return Fit(
        optimizer=functools.partial(torch.optim.SGD, lr=lr, momentum=0.9),
        lr_schedule=settings.pop("lr_schedule", Constant()),
        max_epochs=max_epochs,
        batch_size=batch_size,
        **settings,
    )


def protocol(a_fit=None, augment=None, **settings):
    return LinearEvaluation(fit=a_fit or fit(), augment=augment or Pipeline(), **settings)


def not_said_to_be_nothing(images):
    return images


@pytest.fixture(scope="module")
def some_digits():
    whole = digits()
    return Splits(whole.train.rows(slice(300)), whole.val, whole.test, whole.classes)


@pytest.fixture
def conv():
    torch.manual_seed(0)
    return SmallConv(channels=1, widths=[8, 16], mean=[0.3], std=[0.4])


def weights(fitting):
    return finish(fitting).state_dict()


def test_separable_features_are_all_right():
    splits = two_classes()
    for split in ("val", "test"):
        found = measure(finish(protocol()(Flat(), splits)), splits, split)
        assert found[f"{split}/accuracy"] == found[f"{split}/accuracy_high"] == 1


def test_it_is_sgd_on_frozen_features_written_out(some_digits, conv):
    with isolated_rng(3):
        layer = nn.Linear(16, 10)
    momenta = [torch.zeros_like(p) for p in layer.parameters()]
    train = some_digits.train
    with torch.no_grad():
        features = conv.eval()(train.pixels(slice(None)))
    batches = ShuffledBatches(train, batch_size=100, seed=3, labelled=True)
    for epoch in range(4):
        lr = 0.5 if epoch < 2 else 0.05
        for batch in batches.epoch(epoch):
            loss = F.cross_entropy(layer(features[batch.indices]), batch.labels)
            slopes = torch.autograd.grad(loss, list(layer.parameters()))
            for p, momentum, slope in zip(layer.parameters(), momenta, slopes, strict=True):
                momentum.mul_(0.9).add_(slope)
                p.data -= lr * momentum
    a_fit = fit(0.5, 4, 100, seed=3, lr_schedule=Steps(milestones=[0.5]))
    found = finish(protocol(a_fit)(conv, some_digits)).head
    torch.testing.assert_close(found.weight, layer.weight, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.bias, layer.bias, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"channels_last": True}, {"precision": "bfloat16"}], ids=str
)
def test_features_computed_once_give_the_same_layer_bit_for_bit(some_digits, conv, options):
    a_fit = fit(max_epochs=3, batch_size=128, options=TrainerOptions(**options))
    cached, every_time = protocol(a_fit), protocol(a_fit, not_said_to_be_nothing)
    assert (cached.is_cached, every_time.is_cached) == (True, False)
    expected = weights(every_time(conv, some_digits))
    found = weights(cached(conv, some_digits))
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


@pytest.mark.parametrize("augment", [Pipeline(), not_said_to_be_nothing])
def test_standardised_features_are_those_of_mean_shifts_evaluation(some_digits, conv, augment):
    with torch.no_grad():  # as in the authors' code, step by step
        features = conv.eval()(some_digits.train.pixels(slice(None)))
        features = features / features.norm(2, dim=1, keepdim=True)
        variance, mean = torch.var_mean(features, dim=0)
    plain = finish(protocol(fit(max_epochs=2), augment)(conv, some_digits)).head
    head = finish(protocol(fit(max_epochs=2), augment, standardise=True)(conv, some_digits)).head
    shown = conv(some_digits.val.pixels(slice(None)))
    expected = (shown / shown.norm(2, dim=1, keepdim=True) - mean) / torch.sqrt(variance + 1e-5)
    torch.testing.assert_close(head[0](shown), expected, atol=1e-4, rtol=1e-4)
    assert [name for name, _ in head.named_parameters()] == ["1.weight", "1.bias"]
    assert not torch.equal(head[1].weight, plain.weight)


def images_seen(a_protocol, encoder, splits):
    seen = []
    encoder.register_forward_hook(lambda *call: seen.append(len(call[-1])))
    finish(a_protocol(encoder, splits))
    return sum(seen)


def test_only_what_can_change_goes_through_the_encoder_again():
    splits = two_classes()
    attack = PGD(ball=LinfBall(epsilon=EPSILON), step_size=0.1, steps=1)
    assert images_seen(protocol(), Flat(), splits) == 64
    assert images_seen(protocol(augment=not_said_to_be_nothing), Flat(), splits) == 640
    assert images_seen(protocol(attack=attack), Flat(), splits) == 1280
    assert images_seen(protocol(encoder_mode="train"), Flat(), splits) == 640


@pytest.mark.parametrize("augment", [Pipeline(), not_said_to_be_nothing])
def test_it_works_in_bfloat16_and_channels_last(some_digits, conv, augment):
    options = TrainerOptions(precision="bfloat16", channels_last=True)
    plain = measure(finish(protocol(fit(batch_size=100))(conv, some_digits)), some_digits)
    fast = protocol(fit(batch_size=100, options=options), augment)(conv, some_digits)
    found = measure(finish(fast), some_digits)["val/accuracy"]
    assert found == pytest.approx(plain["val/accuracy"], abs=0.05)


def worst_case_accuracy(classifier, images, epsilon):
    """Of a linear network of two classes: epsilon times the l1 length of its slope is exact."""
    x = images.pixels(slice(None)).requires_grad_()
    logits = classifier(x)
    sign = 2 * images.labels - 1
    margin = sign * (logits[:, 1] - logits[:, 0])
    (slope,) = torch.autograd.grad(margin.sum(), x)
    return (margin > epsilon * slope.abs().sum((1, 2, 3))).float().mean().item()


def test_the_robust_layer_leaves_what_does_not_last_alone():
    splits, encoder = two_classes(), BrightnessAndTexture()
    attack = PGD(ball=LinfBall(epsilon=EPSILON), step_size=EPSILON, steps=2)
    clean = finish(protocol()(encoder, splits))
    robust = finish(protocol(fit(max_epochs=30), attack=attack)(encoder, splits))
    for classifier in (clean, robust):
        assert measure(classifier, splits)["val/accuracy"] == 1
    assert worst_case_accuracy(clean, splits.val, EPSILON) == 0
    assert worst_case_accuracy(robust, splits.val, EPSILON) == 1


def test_statistics_drift_in_train_mode_only_and_only_in_the_copy():
    splits, encoder = two_classes(), Flat(batch_norm=True)
    before = copy.deepcopy(encoder.state_dict())
    kept = finish(protocol()(encoder, splits)).encoder.norm.running_mean
    drifted = finish(protocol(encoder_mode="train")(encoder, splits)).encoder
    assert torch.equal(kept, before["norm.running_mean"])
    assert not torch.equal(drifted.norm.running_mean, before["norm.running_mean"])
    assert torch.equal(drifted.scale, before["scale"])
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_the_best_epoch_on_test_is_an_extra_that_changes_nothing():
    splits = two_classes()
    plain = protocol()(Flat(), splits)
    assert not any("test" in name for result in plain.epochs() for name in result.metrics)
    extra = protocol(best_on_test=True)(Flat(), splits)
    accuracies, best = [], []
    for result in extra.epochs():
        accuracies.append(result.metrics["test/accuracy"])
        best.append(result.metrics["test/best_on_test_accuracy"])
        assert measure(extra.classifier, splits, "test")["test/accuracy"] == pytest.approx(
            accuracies[-1]
        )
    assert best == [max(accuracies[: index + 1]) for index in range(len(accuracies))]
    assert torch.equal(plain.classifier.head.weight, extra.classifier.head.weight)


@pytest.mark.parametrize(
    ("init_std", "spread"),
    [(0.0, 0.0), (0.01, 0.01), (None, 0.05 / 3**0.5)],  # torch's own: uniform, to 1 / sqrt(400)
)
def test_first_weights(init_std, spread):
    torch.manual_seed(0)
    layer = linear_head(400, 10, init_std)
    assert layer.weight.std().item() == pytest.approx(spread, rel=0.05)
    assert layer.bias.any() == (init_std is None)


def test_one_of_several_batch_norms_is_kept():
    encoder = split_batch_norm.split(Flat(batch_norm=True), ["normal", "pgd"])
    encoder.norm.branches["pgd"].running_mean.fill_(7)
    kept = protocol(branch="pgd")(encoder, two_classes()).classifier.encoder.norm
    assert kept.running_mean.unique().tolist() == [7]
    with pytest.raises(ValueError, match=r"branch must be one of \['normal', 'pgd'\]"):
        protocol(branch="adv")(encoder, two_classes())


def test_a_batch_larger_than_the_set_is_the_set():
    result = next(protocol(fit(batch_size=4096))(Flat(), two_classes()).epochs())
    assert result.metrics["cost/images"] == 64


def test_no_labels_at_all_are_told():
    splits = two_classes()
    none = ImageSet(splits.train.images, splits.train.labels[:0])
    with pytest.raises(ValueError, match="images with labels"):
        protocol()(Flat(), Splits(none, splits.val, splits.test, splits.classes))


def test_modes_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="encoder_mode"):
        protocol(encoder_mode="frozen")


def layer_on_ranks(settings):
    return finish(protocol(fit(batch_size=16), **settings)(Flat(), two_classes())).state_dict()


@pytest.mark.parametrize(
    "settings",
    [{}, {"attack": PGD(ball=LinfBall(epsilon=EPSILON), step_size=EPSILON, steps=2)}],
    ids=["clean", "robust"],
)
def test_two_ranks_fit_the_layer_of_one(run_ranks, settings):
    first, second = run_ranks(layer_on_ranks, settings)
    alone = layer_on_ranks(settings)
    for name, value in first.items():
        assert torch.equal(value, second[name])
        torch.testing.assert_close(value, alone[name], atol=1e-5, rtol=1e-4)
