"""Every study trains on packed images, and continues inside an epoch; a new one is enrolled."""

import pytest
import torch
from few_images import of_few_images
from packs import packed_folder
from pictures import class_folders

from raystudy.config import catalogue, compose
from raystudy.trial.build import build_trainer, load_splits

SETTINGS = [
    *("data=packed", "data.image_size=8", "encoder=small_conv", "encoder.widths=[4,8]"),
    *("max_epochs=2", "batch_size=8", "device=cpu", "data.threads=2"),
]
STRETCH = 2  # batches between two places to continue from; an epoch has 4, or replays of 4


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = class_folders(
        tmp_path_factory.mktemp("pictures"), splits=("",), each=20, height=10, width=12
    )
    return packed_folder(folder, tmp_path_factory.mktemp("pack"))


def trainer(study, pack, *overrides):
    own = [f"data.root={pack}", *of_few_images(study), *overrides]
    settings = compose.load(study, [*SETTINGS, *own])
    if "steps" in settings.attack:
        settings.attack.steps = min(settings.attack.steps, 2)
    return build_trainer(settings, load_splits(settings))


def curve(a_trainer, stretch=None):
    return [one.metrics for one in a_trainer.stretches(stretch) if one is not None]


def until_inside_the_second_epoch(a_trainer):
    """Return what was reported, with training held inside an epoch."""
    found = []
    for result in a_trainer.stretches(STRETCH):
        if result is not None:
            found.append(result.metrics)
        elif found:
            return found
    raise AssertionError("there was no place to continue from")


def same(first, second):
    ours, theirs = first.method.state_dict(), second.method.state_dict()
    tensors = [name for name, value in ours.items() if isinstance(value, torch.Tensor)]
    return all(torch.equal(ours[name], theirs[name]) for name in tensors)


@pytest.mark.parametrize("study", catalogue.study_names())
def test_it_continues_inside_an_epoch_to_the_bit(study, pack, tmp_path):
    straight = trainer(study, pack)
    expected = curve(straight)
    first = trainer(study, pack)
    got = until_inside_the_second_epoch(first)
    torch.save(first.state_dict(), tmp_path / "state")
    torch.randn(3)
    second = trainer(study, pack, "data.threads=1")
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    got += curve(second)
    assert got == expected
    assert same(straight, second)


def resumed_on_ranks(pack, folder):
    """Return the curve of a run that continued inside an epoch, and whether it is the straight one.

    The state is the first rank's, as in a checkpoint.
    """
    from torch import distributed as dist

    straight = trainer("suncet", pack, "scaling.num_workers=2")
    expected = curve(straight, STRETCH)
    first = trainer("suncet", pack)
    got = until_inside_the_second_epoch(first)
    if dist.get_rank() == 0:
        torch.save(first.state_dict(), f"{folder}/state")
    dist.barrier()
    second = trainer("suncet", pack)
    second.load_state_dict(torch.load(f"{folder}/state", weights_only=True))
    got += curve(second)
    return got, expected, same(straight, second)


def test_two_ranks_continue_inside_an_epoch_to_the_bit(run_ranks, pack, tmp_path):
    for got, expected, is_same in run_ranks(resumed_on_ranks, str(pack), str(tmp_path)):
        assert got == expected
        assert is_same
