"""No study's training waits for a GPU: seen on the meta device, which has no values to wait for."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from fake_ranks import fake_ranks
from hydra.utils import instantiate
from never_waiting import DEVICE, WaitsForDeviceError, never_waiting
from on_meta import IMAGES, settings_of, trainer_of
from torch import nn

from raystudy.config import catalogue, compose
from trainables.clustering import kmeans
from trainables.means import Means
from trainables.networks import sync_batch_norm

STEPS = 1


def train(trainer, *epochs):
    """Take a step of each of these epochs, and what an epoch does around them."""
    trainer.method.train()
    for epoch in epochs:
        trainer.epoch = epoch
        means = Means()
        with never_waiting(sending=True):
            trainer.method.before_epoch(trainer._train, trainer._progress(0))
            batches = list(itertools.islice(trainer._batches.epoch(trainer.epoch), STEPS))
        with never_waiting():
            for index, batch in enumerate(batches):
                means.add(trainer._update(batch, trainer._progress(index)))
        assert all(total.device.type == DEVICE for total in means.totals.values())


@pytest.mark.parametrize("study", catalogue.study_names())
def test_no_step_waits_alone_or_among_several_ranks(study):
    trainer = trainer_of(settings_of(study))
    last = trainer.max_epochs - 1
    train(trainer, 0, last)
    with fake_ranks(2):  # without DDP, which asks for the weights' shapes
        sync_batch_norm.convert(trainer.method)
        train(trainer, last)


def shared(group, option):
    settings = compose.load_shared([f"{group}={option}", "data=cifar10"])
    return instantiate(settings[group], _convert_="all")


@pytest.mark.parametrize("option", catalogue.options("attack"))
def test_no_attack_of_training_waits(option):
    attack, network = shared("attack", option), nn.Linear(48, 4).to(DEVICE)
    images, labels = torch.rand(6, 3, 4, 4, device=DEVICE), torch.arange(6, device=DEVICE) % 4
    sense = torch.ones(6, device=DEVICE)
    with never_waiting():
        attack(lambda x: F.cross_entropy(network(x.flatten(1)), labels, reduction="none"), images)
        attack(lambda x: network(x.flatten(1)).sum(dim=1), images, sense=sense)


@pytest.mark.parametrize("option", catalogue.options("augment"))
def test_no_augmentation_waits(option):
    augment, images = shared("augment", option), torch.rand(6, 3, 32, 32, device=DEVICE)
    with never_waiting():
        augment(images)


@pytest.mark.parametrize("option", catalogue.options("optimizer"))
def test_no_optimizer_waits(option):
    network = nn.Linear(8, 2).to(DEVICE)
    optimizer = shared("optimizer", option)(network.parameters())
    for _ in range(2):
        network(torch.rand(3, 8, device=DEVICE)).sum().backward()
        with never_waiting():
            optimizer.step()


@pytest.mark.parametrize(("study", "state"), [
    ("swaro", {"pseudo_labels": torch.zeros(IMAGES, dtype=torch.int64)}),
    ("free_at", {"delta": torch.zeros(40, 3, 16, 16)}),
])  # fmt: skip
def test_what_a_checkpoint_brings_is_sent_to_the_device_once(study, state):
    trainer = trainer_of(settings_of(study, "max_epochs=4"))
    trainer.method.set_extra_state(state)
    batch = next(trainer._batches.epoch(1))
    with never_waiting():
        trainer._update(batch, trainer._progress(0))


def test_clusters_are_found_without_asking_the_device():
    with never_waiting(sending=True):
        found = kmeans(torch.empty(90, 8, device=DEVICE), 30, seed=0)
    assert found.assignments.shape == (90,)


def from_number(values):
    values[torch.arange(3, device=DEVICE)] = 1.0


def of_two_devices(values):
    return values + torch.ones(4)


WAITING = {
    "item": lambda values: values.sum().item(),
    "bool": lambda values: bool(values.isfinite().all()),
    "equal": lambda values: torch.equal(values, values),
    "nonzero": lambda values: values.nonzero(),
    "unique": lambda values: values.unique(),
    "mask": lambda values: values[values > 0],
    "masked_select": lambda values: values.masked_select(values > 0),
    "filling a value": lambda values: values.masked_fill(values > 0, values[0]),
    "bincount": lambda values: values.long().bincount(),
    "repeats": lambda values: values.repeat_interleave(values.long()),
    "to the host": lambda values: values.cpu(),
    "to the device": lambda values: torch.ones(4).to(values.device),
    "copied in": lambda values: values.copy_(torch.ones(4)),
    "from a list": lambda values: torch.tensor([1.0, 2.0], device=values.device),
    "like another": lambda values: values.new_tensor([1.0]),
    "indices of the host": lambda values: values[torch.arange(2)],
    "indices of a list": lambda values: values[[0, 1]],
    "from a number": from_number,
    "of two devices": of_two_devices,
}


@pytest.mark.parametrize("what", WAITING)
def test_what_waits_is_refused(what):
    values = torch.empty(4, device=DEVICE)
    with pytest.raises(WaitsForDeviceError), never_waiting():
        WAITING[what](values)
