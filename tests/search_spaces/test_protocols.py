"""What every protocol that makes a classifier promises; a new file is enrolled by existing.

Those of downstream tasks keep their promises in tests/trainables/protocols/downstream.
"""

import copy
import functools
import itertools

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from raystudy.config import catalogue, compose
from trainables import random_state
from trainables.data.digits import digits
from trainables.data.image_set import Splits
from trainables.networks.small_conv import SmallConv
from trainables.protocols.base import finish, measure

DOWNSTREAM = [
    "coco_keypoints",
    "coco_maskrcnn",
    "coco_maskrcnn_2x",
    "voc07_svm",
    "voc12_segments",
]
PROTOCOLS = sorted({*catalogue.options("protocol")} - {*DOWNSTREAM})


def shorten(node):
    """Cut a protocol's node down to what a few hundred digits need."""
    for key in node:
        if key == "fit":
            node.fit.max_epochs, node.fit.batch_size = 2, 64
        elif key == "labels":
            node.labels.fraction = min(1.0, 20 * node.labels.fraction)
        elif key in ("learning_rates", "weight_decays"):
            node[key] = node[key][-2:]
        elif isinstance(node[key], DictConfig):
            shorten(node[key])


@functools.cache
def settings_of(name):
    return compose.load("simclr", [f"+protocol={name}", "data=digits"])


def protocol_of(name):
    node = copy.deepcopy(settings_of(name)).protocol
    shorten(node)
    return instantiate(node, _convert_="all")


@pytest.fixture(scope="module")
def splits():
    whole = digits()
    train, val, test = (
        part.rows(slice(size))
        for part, size in ((whole.train, 256), (whole.val, 64), (whole.test, 64))
    )
    return Splits(train, val, test, whole.classes)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return SmallConv(channels=1, widths=[8, 16], mean=[0.3], std=[0.4])


@pytest.fixture
def head():
    torch.manual_seed(0)
    return nn.Linear(16, 10)


def results(fitting):
    return [(result.epoch, result.metrics) for result in fitting.epochs()]


def random_streams_are(before):
    now = random_state.capture()
    return torch.equal(now.pop("torch"), before.pop("torch")) and now == before


@pytest.mark.parametrize("name", PROTOCOLS)
def test_it_makes_a_classifier_and_counts_its_epochs(name, encoder, head, splits):
    fitting = protocol_of(name)(encoder, splits, head=head)
    assert fitting.epoch == 0
    epochs = [epoch for epoch, _ in results(fitting)]
    assert epochs == list(range(1, fitting.max_epochs + 1))
    assert fitting.epoch == fitting.max_epochs
    assert results(fitting) == []
    logits = fitting.classifier(splits.val.pixels(slice(5)))
    assert logits.shape == (5, 10)
    assert logits.isfinite().all()
    assert not any(part.training for part in fitting.classifier.modules())


@pytest.mark.parametrize("name", PROTOCOLS)
def test_it_moves_nothing_of_training(name, encoder, head, splits):
    encoder.train()
    encoder.body[0].requires_grad_(False)
    before = copy.deepcopy(encoder.state_dict())
    modes = [part.training for part in encoder.modules()]
    gradients = [p.requires_grad for p in encoder.parameters()]
    streams = random_state.capture()
    fitting = protocol_of(name)(encoder, splits, head=head)
    assert random_streams_are(dict(streams))
    for _ in fitting.epochs():
        assert random_streams_are(dict(streams))
        fitting.state_dict()
    measure(fitting.classifier, splits)
    assert random_streams_are(dict(streams))
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    assert [part.training for part in encoder.modules()] == modes
    assert [p.requires_grad for p in encoder.parameters()] == gradients
    assert all(p.grad is None for p in [*encoder.parameters(), *head.parameters()])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_interrupted_is_uninterrupted_bit_for_bit(name, encoder, head, splits, tmp_path):
    protocol = protocol_of(name)
    straight = protocol(encoder, splits, head=head)
    expected = results(straight)
    for stop in range(len(expected)):
        first = protocol(encoder, splits, head=head)
        got = [(r.epoch, r.metrics) for r in itertools.islice(first.epochs(), stop)]
        torch.save(first.state_dict(), tmp_path / "state")
        torch.randn(3)
        second = protocol(encoder, splits, head=head)
        second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
        assert got + results(second) == expected
        for key, value in straight.classifier.state_dict().items():
            assert torch.equal(second.classifier.state_dict()[key], value), key


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_callers_random_state_does_not_matter(name, encoder, head, splits):
    protocol = protocol_of(name)
    torch.manual_seed(1)
    first = measure(finish(protocol(encoder, splits, head=head)), splits, "test")
    torch.manual_seed(2)
    assert measure(finish(protocol(encoder, splits, head=head)), splits, "test") == first


@pytest.mark.parametrize("name", PROTOCOLS)
def test_quirks_that_flatter_are_off(name):
    settings = compose.flatten(settings_of(name).protocol)
    assert {value for path, value in settings.items() if path.endswith("best_on_test")} <= {False}
    assert {value for path, value in settings.items() if path.endswith("encoder_mode")} <= {"eval"}


@pytest.mark.parametrize(
    ("name", "drops"),
    [
        # The loop sets the rate of epoch 30 when it is over.
        ("le_rocl", [31, 51, 101]),
        ("le_swaro", [31, 51, 101]),
        ("rle_swaro", [31, 51, 101]),
        # The loop steps its MultiStepLR before the epoch.
        ("aff_acl", [14, 19]),
        # The loop steps it behind the epoch.
        ("le_msr", [60, 80]),
        ("le_msr_imagenet", [15, 30]),
    ],
)
@pytest.mark.parametrize("steps", [1, 44, 391])
def test_the_learning_rate_falls_in_the_epochs_in_which_the_authors_code_lowers_it(
    name, drops, steps
):
    fit = instantiate(settings_of(name).protocol.fit, _convert_="all")
    total = fit.max_epochs * steps
    for epoch in range(fit.max_epochs):
        expected = 0.1 ** sum(epoch >= drop for drop in drops)
        for step in (epoch * steps, epoch * steps + steps - 1):  # as the trainer computes it
            factor = fit.lr_schedule(step / total * fit.max_epochs, fit.max_epochs)
            assert factor == pytest.approx(expected)


def test_acls_linear_evaluation_ends_at_a_millionth():
    fit = instantiate(settings_of("le_acl").protocol.fit, _convert_="all")
    last = fit.lr_schedule.at_update(99.9, 100, 0.1)
    assert fit.optimizer.keywords["lr"] * last == pytest.approx(1e-6)
