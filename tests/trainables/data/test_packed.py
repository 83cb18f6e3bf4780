"""Packed images: the numbers of images in memory, whatever reads them, and in whatever order."""

import numpy as np
import pytest
import torch
from fake_ranks import fake_ranks
from packs import packed_folder
from pictures import class_folders
from PIL import Image

from trainables.augment.colours import RandomGrey
from trainables.augment.crops import RandomCrop, RandomResizedCrop
from trainables.augment.pipeline import Pipeline
from trainables.augment.pipeline import views as views_in_one_go
from trainables.data.batches import ShuffledBatches
from trainables.data.image_folder import image_folder
from trainables.data.image_set import ImageSet
from trainables.data.pack.cutting import Draws
from trainables.data.pack.reader import DamagedPackError
from trainables.data.packed import packed

CROP = RandomResizedCrop(scale_min=0.2)
SIZE = 12  # of images of 16 x 24


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Images of the size that training sees."""
    folder = class_folders(tmp_path_factory.mktemp("small"), splits=("",), each=20)
    return folder, packed_folder(folder, tmp_path_factory.mktemp("small_packed"))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = class_folders(
        tmp_path_factory.mktemp("large"), splits=("",), each=20, height=16, width=24
    )
    return packed_folder(folder, tmp_path_factory.mktemp("large_packed"))


def batches(images, *, epoch=0, first=0, labelled=True):
    return ShuffledBatches(images, batch_size=8, seed=3, labelled=labelled).epoch(epoch, first)


def views(images, crop=CROP, **where):
    return [torch.cat([crop(one.images), crop(one.images)]) for one in batches(images, **where)]


def test_images_of_the_size_asked_for_are_the_folders_own_to_the_bit(small):
    folder, pack = small
    theirs = image_folder(root=str(folder)).train
    ours = packed(root=str(pack), image_size=8).train
    assert torch.equal(ours.labels, theirs.labels)
    assert torch.equal(ours.pixels(slice(None)), theirs.pixels(slice(None)))
    torch.manual_seed(0)
    expected = views(theirs)
    torch.manual_seed(0)
    assert all(map(torch.equal, views(ours), expected))


@pytest.mark.parametrize("how", [{"threads": 1}, {"threads": 3}, {"in_memory": True}])
def test_views_depend_on_neither_threads_nor_memory(large, how):
    expected = views(packed(root=str(large), image_size=SIZE).train)
    assert all(
        map(torch.equal, views(packed(root=str(large), image_size=SIZE, **how).train), expected)
    )


def test_views_follow_from_seed_epoch_and_place_alone(large):
    train = packed(root=str(large), image_size=SIZE).train
    straight = views(train)
    torch.randn(5)
    assert all(map(torch.equal, views(train, first=2), straight[2:]))
    assert not torch.equal(views(train, epoch=1)[0], straight[0])
    halves = straight[0].chunk(2)
    assert not torch.equal(*halves)


def test_a_rank_cuts_its_rows_of_one_processs_batch(large):
    train = packed(root=str(large), image_size=SIZE).train
    alone = views(train)
    with fake_ranks(2):
        ours = views(train)
    for whole, half in zip(alone, ours, strict=True):
        assert torch.equal(half, torch.cat([part[:4] for part in whole.chunk(2)]))


@pytest.mark.parametrize("ranks", [1, 2])
def test_both_views_in_one_go_are_those_cut_one_by_one(large, ranks):
    train, cut = packed(root=str(large), image_size=SIZE).train, Pipeline(transforms={"crop": CROP})
    with fake_ranks(ranks):
        together = [views_in_one_go(cut, one.images, one.images) for one in batches(train)]
        assert all(map(torch.equal, together, views(train)))


def test_several_views_of_whole_images_are_middles_where_nothing_is_cut(large):
    batch = next(iter(batches(packed(root=str(large), image_size=SIZE).train)))
    ours = views_in_one_go(Pipeline(), batch.images[2:], batch.images[:0], batch.images[:3])
    assert torch.equal(ours, torch.cat([batch.images[2:].tensor(), batch.images[:3].tensor()]))


def test_what_was_not_expected_is_cut_all_the_same(large):
    train = packed(root=str(large), image_size=SIZE).train
    other = RandomResizedCrop(scale_min=0.5)
    mixed = []
    for number, batch in enumerate(batches(train)):
        crops = (CROP, other) if number % 2 else (other, CROP)
        mixed.append([crop(batch.images) for crop in crops])
    for number, (pair, plain, odd) in enumerate(
        zip(mixed, views(train), views(train, other), strict=True)
    ):
        first, second = (plain, odd) if number % 2 else (odd, plain)
        assert torch.equal(pair[0], first.chunk(2)[0])
        assert torch.equal(pair[1], second.chunk(2)[1])


def test_a_crop_is_pillows(large):
    train = packed(root=str(large), image_size=SIZE).train
    rows = torch.arange(8)[None]
    (images,) = train.batches(rows, Draws(seed=0, epoch=0))
    ours = CROP(images)
    numbers = Draws(seed=0, epoch=0).numbers(0, 0, 8)
    boxes = CROP.boxes(numbers, torch.full((8,), 16.0), torch.full((8,), 24.0))
    for row, view in enumerate(ours):
        top, left, height, width = map(int, (*boxes.corner[row], *boxes.size[row]))
        whole = Image.fromarray(train.images.source.read(row)[..., :3])
        part = whole.crop((left, top, left + width, top + height))
        theirs = np.asarray(part.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
        theirs = theirs[:, ::-1] if boxes.mirrored[row] else theirs
        assert np.abs(255 * view.permute(1, 2, 0).numpy() - theirs).max() <= 1.01


def test_an_evaluation_sees_the_middle(large):
    val = packed(root=str(large), image_size=14).val
    whole = val.images.source.read(0)[..., :3]
    middle = torch.from_numpy(whole[1:15, 5:19].copy()).permute(2, 0, 1)  # 14 of 16, as 224 of 256
    assert torch.equal(val.pixels(slice(1))[0], middle.float() / 255)


def test_a_crop_after_colours_sees_whole_images_as_well(large):
    train = packed(root=str(large), image_size=SIZE).train
    grey = RandomGrey(probability=1.0)
    first = views(train, Pipeline(transforms={"crop": CROP, "grey": grey}))
    last = views(train, Pipeline(transforms={"grey": grey, "crop": CROP}))
    assert all(map(torch.equal, first, last))


def test_who_cuts_nothing_sees_a_tensor(large):
    train = packed(root=str(large), image_size=SIZE).train
    batch = next(iter(batches(train)))
    images, middles = batch.images, train.pixels(batch.indices)
    assert images.shape == middles.shape
    assert images.device == middles.device
    assert torch.equal(torch.cat([images, middles])[:8], middles)
    assert torch.equal(images[2:6] + 0, middles[2:6])
    assert torch.equal(1 - images, 1 - middles)
    assert torch.equal(images.mean(dim=0), middles.mean(dim=0))
    assert torch.equal(
        torch.nn.functional.avg_pool2d(images, 2)[0], torch.nn.functional.avg_pool2d(middles, 2)[0]
    )
    assert torch.equal(batch.labelled[torch.tensor([1, 3])], middles[[1, 3]])
    last = images.contiguous(memory_format=torch.channels_last)
    assert Pipeline()(last).is_contiguous(memory_format=torch.channels_last)
    torch.manual_seed(0)
    moved = RandomCrop(padding=2)(images)
    torch.manual_seed(0)
    assert torch.equal(moved, RandomCrop(padding=2)(middles))


def test_a_row_is_decoded_once_for_all_its_views(large):
    train = packed(root=str(large), image_size=SIZE).train
    read, source = [], train.images.source
    source.read = lambda row: read.append(row) or type(source).read(source, row)
    views(train)
    read.clear()  # what is asked for is known after the first batches
    views(train, epoch=1)
    assert len(read) == len(set(read)) == 32


def test_what_is_measured_next_is_decoded_meanwhile(large):
    train = packed(root=str(large), image_size=SIZE, threads=1).train
    read, source = [], train.images.source
    source.read = lambda row: read.append(row) or type(source).read(source, row)
    chunks = torch.split(torch.arange(12), 4)
    pixels = train.in_turn(chunks)
    first = next(pixels)
    source.pool().submit(int).result()  # after all that was asked of the one thread
    assert len(read) == 12
    assert torch.equal(torch.cat([first, *pixels]), train.pixels(torch.arange(12)))


def test_the_set_is_chosen_from_like_one_in_memory(large):
    train = packed(root=str(large), image_size=SIZE).train
    whole = ImageSet((255 * train.pixels(slice(None))).round().to(torch.uint8), train.labels)
    for chosen in (
        lambda s: s.rows(torch.tensor([3, 1])),
        lambda s: s.evenly(5),
        lambda s: s.labelled,
    ):
        ours, theirs = chosen(train), chosen(whole)
        assert torch.equal(ours.labels, theirs.labels)
        assert torch.equal(ours.pixels(slice(None)), theirs.pixels(slice(None)))


def test_a_file_cut_short_while_it_is_read_is_said(large, tmp_path):
    import shutil

    pack = tmp_path / "pack"
    shutil.copytree(large, pack)
    train = packed(root=str(pack), image_size=SIZE).train
    images = pack / "train" / "images.bin"
    images.write_bytes(images.read_bytes()[:100])
    with pytest.raises(DamagedPackError, match=r"data.root=.* of train/images.bin is not the one"):
        train.pixels(slice(None))


def test_nonsense_is_refused(large):
    for settings, says in (
        ({"image_size": 0}, "data.image_size must be between 1 and 8192"),
        ({"image_size": 10**9}, "data.image_size must be between 1 and 8192"),
        ({"threads": 0}, "data.threads must be at least 1"),
        ({"root": None}, "data.root is not set"),
        ({"root": str(large / "train")}, "is no pack"),
    ):
        with pytest.raises(ValueError, match=says):
            packed(**{"root": str(large), "image_size": SIZE, **settings})
