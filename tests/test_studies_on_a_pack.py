"""Every study trains on packed images, and continues inside an epoch; a new one is enrolled."""

from pathlib import Path

import pytest
import torch
from fake_ranks import fake_ranks
from few_images import of_few_images
from hydra.utils import instantiate
from omegaconf import OmegaConf
from packs import packed_folder
from pictures import class_folders

from raystudy.config import catalogue, compose
from raystudy.trial.build import build_trainer, load_splits
from trainables.augment.crops import RandomResizedCrop

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


def curve(a_trainer, *, keep=None):
    """Return what is reported; `keep` gets the state inside the second epoch."""
    found = []
    for result in a_trainer.stretches(STRETCH if keep else None):
        if result is not None:
            found.append(result.metrics)
        elif found and not keep.exists():
            torch.save(a_trainer.state_dict(), keep)
    return found


def same(first, second):
    ours, theirs = first.method.state_dict(), second.method.state_dict()
    tensors = [name for name, value in ours.items() if isinstance(value, torch.Tensor)]
    return all(torch.equal(ours[name], theirs[name]) for name in tensors)


@pytest.mark.parametrize("study", catalogue.study_names())
def test_it_continues_inside_an_epoch_to_the_bit(study, pack, tmp_path):
    straight = trainer(study, pack)
    expected = curve(straight, keep=tmp_path / "state")
    torch.randn(3)
    second = trainer(study, pack, "data.threads=1")
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert curve(second) == expected[1:]
    assert same(straight, second)


def test_places_to_continue_from_change_nothing(pack, tmp_path):
    assert curve(trainer("suncet", pack), keep=tmp_path / "state") == curve(trainer("suncet", pack))


def data_inside_an_epoch(study, pack, *, threads=2):
    """Return rows and boxes of the labelled and of the other images of each batch left."""
    loaded = compose.load(study, [*SETTINGS, f"data.root={pack}", *of_few_images(study)])
    loaded.data.threads = threads
    batches = instantiate(OmegaConf.to_container(loaded.batches, resolve=True))
    crop, found = RandomResizedCrop(scale_min=0.2), []
    for batch in batches(load_splits(loaded).train).epoch(1, first=1):
        labelled = len(batch.labels)
        rows = batch.indices[:labelled], batch.indices[labelled:]
        images = batch.images[:labelled], batch.images[labelled:]
        found.append([*rows, *(crop(part) for part in images if len(part))])
    return found


@pytest.mark.parametrize("study", ["simclr", "at", "free_at", "suncet"])
def test_other_numbers_of_ranks_and_threads_see_the_same_rows_and_boxes(study, pack):
    """Sums over a batch are another matter: their order is another with other ranks."""
    alone, ranks = data_inside_an_epoch(study, pack), []
    for rank in range(2):
        with fake_ranks(2, rank=rank):
            ranks.append(data_inside_an_epoch(study, pack, threads=1 + 2 * rank))
    for whole, *halves in zip(alone, *ranks, strict=True):
        joined = [torch.cat(parts) for parts in zip(*halves, strict=True)]
        assert all(map(torch.equal, whole, joined))


def resumed_on_ranks(pack, folder):
    """Return the curve of a run that continued inside an epoch, and whether it is the straight one.

    The state is the first rank's, as in a checkpoint.
    """
    from torch import distributed as dist

    own = Path(folder) / f"state-{dist.get_rank()}"
    straight = trainer("suncet", pack)
    expected = curve(straight, keep=own)
    dist.barrier()
    second = trainer("suncet", pack)
    second.load_state_dict(torch.load(Path(folder) / "state-0", weights_only=True))
    return curve(second), expected[1:], same(straight, second)


def test_two_ranks_continue_inside_an_epoch_to_the_bit(run_ranks, pack, tmp_path):
    for got, expected, is_same in run_ranks(resumed_on_ranks, str(pack), str(tmp_path)):
        assert got == expected
        assert is_same
