"""What every augmentation promises; a new file in search_spaces/augment is enrolled by existing."""

from dataclasses import fields, is_dataclass, replace
from functools import cache

import pytest
import torch
from hydra.utils import instantiate

from raystudy.config import catalogue, compose
from trainables import distributed
from trainables.augment.pipeline import Pipeline, views

NAMES = catalogue.options("augment")
SHAPES = [(6, 3, 32, 32), (6, 1, 8, 8), (5, 3, 13, 9), (1, 3, 16, 16), (1, 1, 7, 11), (2, 3, 1, 1)]
every_pipeline = pytest.mark.parametrize("name", NAMES)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@cache
def pipeline_of(name, mirror="true"):
    settings = compose.load_shared([f"augment={name}", f"data.mirror={mirror}"])
    return instantiate(settings.augment, _convert_="all")


def images_of(shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def views_of(pipeline, images, seed=3):
    torch.manual_seed(seed)
    return pipeline(images)


def own_draw(params, row):
    """The parameters of one row, as those of a batch of one."""
    if isinstance(params, torch.Tensor):
        return params[row : row + 1]
    if is_dataclass(params):
        return replace(
            params, **{f.name: own_draw(getattr(params, f.name), row) for f in fields(params)}
        )
    return params  # shared by the batch


@every_shape
@every_pipeline
def test_shape_dtype_and_range_stay(name, shape):
    images = images_of(shape)
    before = images.clone()
    views = views_of(pipeline_of(name), images)
    assert views.shape == images.shape
    assert views.dtype == images.dtype
    assert views.min() >= 0
    assert views.max() <= 1
    torch.testing.assert_close(images, before, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@every_pipeline
def test_another_precision_sees_the_same_views(name, dtype):
    images = images_of((8, 3, 16, 16)).to(dtype)
    views = views_of(pipeline_of(name), images)
    assert views.dtype == dtype
    expected = views_of(pipeline_of(name), images.float())
    # Steps of bfloat16 below 1 are 1/256; a hue turns by up to six times the error of a channel.
    tolerance = 1e-5 if dtype == torch.float64 else 16 / 256
    torch.testing.assert_close(views.float(), expected, rtol=0, atol=tolerance)


@every_pipeline
def test_mixed_precision_around_it_changes_nothing(name):
    images = images_of((8, 3, 16, 16))
    expected = views_of(pipeline_of(name), images)
    with torch.autocast("cpu", torch.bfloat16):
        views = views_of(pipeline_of(name), images)
    torch.testing.assert_close(views, expected, rtol=0, atol=0)


@every_shape
@every_pipeline
def test_a_row_depends_on_its_own_draw_alone(name, shape):
    torch.manual_seed(4)
    views = images_of(shape)
    for transform in pipeline_of(name).transforms.values():
        params = transform.draw(views)
        alone = [transform.apply(views[i : i + 1], own_draw(params, i)) for i in range(len(views))]
        views = transform.apply(views, params)
        torch.testing.assert_close(torch.cat(alone), views, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"none"}))
def test_rows_get_different_draws(name):
    images = images_of((1, 3, 32, 32)).expand(16, -1, -1, -1)
    views = views_of(pipeline_of(name), images).flatten(1)
    distances = torch.cdist(views, views)
    assert (distances.fill_diagonal_(1) > 1e-3).float().mean() > 0.9


@every_pipeline
def test_the_seed_decides_the_views(name):
    images = images_of((6, 3, 32, 32))
    pipeline = pipeline_of(name)
    first, again, other = (views_of(pipeline, images, seed) for seed in (5, 5, 6))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert name == "none" or not torch.equal(first, other)


@every_pipeline
def test_nothing_waits_for_the_device(name):
    # Tensors without storage: reading a value of one is an error.
    assert pipeline_of(name)(torch.rand(4, 3, 16, 16, device="meta")).is_meta


@every_pipeline
def test_the_memory_format_stays(name):
    images = images_of((4, 3, 16, 16))
    interleaved = images.to(memory_format=torch.channels_last)
    views = views_of(pipeline_of(name), interleaved)
    assert views.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(views, views_of(pipeline_of(name), images), rtol=0, atol=0)


@every_pipeline
def test_no_gradient_is_recorded(name):
    images = images_of((4, 3, 8, 8)).requires_grad_()
    views = views_of(pipeline_of(name), images)
    assert name == "none" or not views.requires_grad


@every_pipeline
def test_nothing_is_mirrored_where_a_mirrored_image_is_another_class(name):
    # Brightness rises from left to right, and no crop, colour or blur turns that round.
    rising = torch.linspace(0.2, 0.8, 16).expand(64, 1, 16, 16)
    pipeline = pipeline_of(name, mirror="false")
    geometry = {k: t for k, t in pipeline.transforms.items() if k == "crop"}
    views = views_of(Pipeline(transforms=geometry), rising)
    inside = views[..., 4:12]  # black borders of padded crops lie outside
    assert (inside[..., -1] >= inside[..., 0] - 1e-6).all()


@pytest.mark.parametrize("name", ["rocl", "simclr", "weak", "crop_flip"])
def test_half_of_the_images_are_mirrored_where_the_data_allow_it(name):
    crop = pipeline_of(name, mirror="true").transforms["crop"]
    torch.manual_seed(7)
    mirrored = crop.draw(torch.empty(20_000, 1, 8, 8)).mirrored.float().mean()
    assert abs(mirrored - 0.5) < 4 * 0.5 / 20_000**0.5  # four standard errors


def views_of_own_rows(name, images):
    rows = len(images) // distributed.world_size()
    return pipeline_of(name)(images.narrow(0, distributed.rank() * rows, rows))


@pytest.mark.parametrize("name", ["rocl", "aggressive", "crop_flip"])
def test_two_ranks_make_the_views_of_one_process(name, run_ranks):
    images = images_of((8, 3, 16, 16))
    expected = views_of(pipeline_of(name), images, seed=0)  # ranks start from seed 0
    views = torch.cat(run_ranks(views_of_own_rows, name, images))
    torch.testing.assert_close(views, expected, rtol=0, atol=1e-6)


@every_pipeline
def test_a_view_made_along_with_others_is_as_it_would_be_alone(name):
    pipeline, images = pipeline_of(name), images_of((8, 3, 16, 16))
    torch.manual_seed(3)
    together = views(pipeline, images, images[:0], images[2:4])
    expected = views_of(pipeline, torch.cat([images, images[2:4]]))
    assert torch.equal(together, expected)


def test_views_of_the_same_images_differ():
    first, second = views(pipeline_of("rocl"), *[images_of((8, 3, 16, 16))] * 2).chunk(2)
    assert not any(map(torch.equal, first, second))


def test_what_draws_once_a_batch_sees_a_batch_at_a_time():
    sizes = []

    def brighter(images):
        sizes.append(len(images))
        return (images + torch.rand(())).clamp(0, 1)

    pipeline, images = Pipeline(transforms={"mine": brighter}), images_of((8, 3, 16, 16)) / 2
    first, second = views(pipeline, images, images).chunk(2)
    assert sizes == [8, 8]
    assert not torch.equal(first, second)
    assert len(views(lambda images: images, images, images[:3])) == 11


def views_of_own_parts(name, images):
    rows, rank = len(images) // 2 // distributed.world_size(), distributed.rank()
    return views(pipeline_of(name), images[rank * rows :][:rows], images[4 + rank * rows :][:rows])


def test_two_ranks_make_several_views_of_one_process(run_ranks):
    images = images_of((8, 3, 16, 16))
    torch.manual_seed(0)
    expected = views_of_own_parts("rocl", images)
    parts = [part.chunk(2) for part in run_ranks(views_of_own_parts, "rocl", images)]
    ours = torch.cat([*(first for first, _ in parts), *(second for _, second in parts)])
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
