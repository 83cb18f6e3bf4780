"""Test measures are taken of the weights that were chosen, as validation measures were."""

import dataclasses

import pytest
import torch
from memory_tracker import MemoryTracker
from surrogates import study_info

from raystudy.config import compose
from raystudy.confirm.on_test_split import SplitReading, evaluated, measure, on_test
from raystudy.storage.folders import TrialFolder
from raystudy.study.trial_record import Outcome
from raystudy.trial.build import load_splits
from raystudy.trial.run import run_trial

# The guard against collapse is among this study's evaluators.
OVERRIDES = ["max_epochs=2", "device=cpu", "seed=4"]


class Told:
    """A session that keeps what is reported."""

    def __init__(self, folder):
        self.folder = TrialFolder(folder)
        self.epochs = {}

    def report(self, epoch, metrics):
        self.epochs[epoch] = metrics


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    session = Told(tmp_path_factory.mktemp("trial"))
    run_trial(compose.load("fast_at", OVERRIDES), session)
    return session


def test_on_validation_images_they_are_what_the_last_epoch_reported(trained):
    settings = compose.load("fast_at", OVERRIDES)
    again = evaluated(settings, trained.folder, load_splits(settings))
    reported = {name: v for name, v in trained.epochs[2].items() if name.startswith("val/")}
    assert again == reported
    assert reported


def test_on_test_images_they_are_those_of_the_test_split(trained):
    settings = compose.load("fast_at", OVERRIDES)
    splits = load_splits(settings)
    session = Told(trained.folder.path)
    measure("fast_at", OVERRIDES, [], session)
    swapped = dataclasses.replace(splits, val=splits.test)
    by_hand = evaluated(settings, trained.folder, swapped)
    assert session.epochs == {1: {f"test/{k.removeprefix('val/')}": v for k, v in by_hand.items()}}
    assert session.epochs[1].keys() == {"test/accuracy", "test/robust_accuracy"}
    assert on_test(splits).val is splits.test
    assert on_test(splits).train is splits.train


def test_reading_leaves_checkpoint_and_random_stream_of_the_trial_alone(trained):
    before = trained.folder.last_checkpoint.read_bytes()
    torch.manual_seed(0)
    measure("fast_at", OVERRIDES, [], Told(trained.folder.path))
    assert trained.folder.last_checkpoint.read_bytes() == before


def test_every_run_is_measured_once_over_all_drivers(tmp_path):
    info, heard = study_info(tmp_path), MemoryTracker()
    first = SplitReading(info, trackers=[heard])
    for number in (0, 3, 5):
        first.expect(number, [f"seed={number}"], last_epoch=10)
    assert (first.waiting, first.is_finished) == ([0, 3, 5], False)
    assert first.next_trial().overrides == ("seed=0",)
    assert first.report(0, 1, {"test/accuracy": 0.5})
    first.finish(0, Outcome("completed"))
    assert first.next_trial().number == 3
    first.interrupted = True
    first.finish(3, Outcome("stopped"))
    assert (first.next_trial(), first.failures) == (None, {})
    second = SplitReading(info, trackers=[heard])
    for number in (0, 3, 5):
        second.expect(number, [f"seed={number}"], last_epoch=10)
    assert second.waiting == [3, 5]
    second.report(second.next_trial().number, 1, {"test/accuracy": 0.6})
    second.finish(second.next_trial().number, Outcome("failed", "no weights"))
    assert (second.measures, second.failures, second.is_finished) == (
        {0: {"test/accuracy": 0.5}, 3: {"test/accuracy": 0.6}},
        {5: "no weights"},
        False,
    )
    assert heard.named("trial_reported") == [
        (0, 11, {"test/accuracy": 0.5}),
        (3, 11, {"test/accuracy": 0.6}),
    ]
