"""Where the images of a grid go, how they are enlarged, and what comes out as a PNG."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib import image as reader
from toy_methods import Pixels

from trainables.data.image_set import ImageSet, Splits
from trainables.pictures.drawing import FRAME, LARGEST, SIDE, draw
from trainables.pictures.figures import Grid, Scatter, Tile
from trainables.pictures.layout import Box, Layout, enlarge, enlarged_size
from trainables.pictures.subject import Subject

CHECKERS = torch.tensor([[0.0, 1.0], [1.0, 0.0]])[None]


def layout(**changes):
    settings = {
        "rows": 2,
        "columns": 3,
        "tile": (10, 20),
        "gap": 1,
        "wide_gap": 5,
        "row_gaps": [0],
        "column_gaps": [0],
        "captions": (7, 0),
        "left": 100,
        "top": 50,
        "right": 2,
        "bottom": 3,
    }
    return Layout(**{**settings, **changes})


def tiles(rows, columns, image=CHECKERS):
    return [[Tile(image) for _ in range(columns)] for _ in range(rows)]


def pixels(png):
    """Return an RGB array (H, W, 3) in [0, 1]."""
    return reader.imread(io.BytesIO(png), format="png")[:, :, :3]


def places(image, page):
    """Return top and left of every copy of an image on a page, in reading order."""
    (h, w), (height, width) = image.shape[:2], page.shape[:2]
    candidates = np.ones((height - h + 1, width - w + 1), dtype=bool)
    for y in range(0, h, 9):
        for x in range(0, w, 9):
            part = page[y : y + height - h + 1, x : x + width - w + 1]
            candidates &= (abs(part - image[y, x]) < 1 / 200).all(axis=2)
    return [
        (y, x)
        for y, x in np.argwhere(candidates)
        if np.allclose(page[y : y + h, x : x + w], image, atol=1 / 200)
    ]


def test_boxes_leave_room_for_gaps_and_captions():
    assert layout().box(0, 0) == Box(100, 50, 20, 10)
    assert layout().box(0, 1) == Box(100 + 20 + 5, 50, 20, 10)
    assert layout().box(1, 2) == Box(100 + 2 * 20 + 5 + 1, 50 + 10 + 7 + 5, 20, 10)


def test_the_last_box_and_the_margins_make_the_size():
    assert layout().width == 146 + 20 + 2
    assert layout().height == 72 + 10 + 0 + 3


@pytest.mark.parametrize(
    ("size", "shown"),
    [((8, 8), (144, 144)), ((32, 32), (128, 128)), ((96, 96), (144, 144)), ((300, 150), (144, 72))],
)
def test_small_images_grow_by_a_whole_factor_and_large_ones_fit(size, shown):
    assert enlarged_size(*size, SIDE) == shown
    assert enlarge(torch.rand(3, *size), SIDE).shape == (3, *shown)


def test_every_pixel_of_a_small_image_becomes_a_square():
    shown = enlarge(CHECKERS, 6)
    assert shown.shape == (3, 6, 6)
    assert torch.equal(shown[0, ::3, ::3], CHECKERS[0])
    assert torch.equal(shown[:, :3, :3], torch.zeros(3, 3, 3))


def test_grey_images_stay_grey_and_colours_stay_colours():
    grey = enlarge(torch.rand(1, 8, 8), SIDE)
    assert torch.equal(grey[0], grey[1])
    assert torch.equal(grey[0], grey[2])
    red = torch.zeros(3, 8, 8)
    red[0] = 1
    assert enlarge(red, SIDE).mean(dim=(1, 2)).tolist() == [1, 0, 0]


def test_a_drawn_grid_shows_every_image_pixel_by_pixel():
    image = torch.arange(64.0).view(1, 8, 8) / 63
    page = pixels(draw(Grid(title="T", note="N", tiles=tiles(2, 3, image)), "swaro-1/3"))
    expected = enlarge(image, SIDE).permute(1, 2, 0).numpy()
    framed = np.pad(expected, ((1, 1), (1, 1), (0, 0)), constant_values=FRAME)
    corners = places(framed, page)
    assert len(corners) == 6
    assert [(y - corners[0][0], x - corners[0][1]) for y, x in corners] == [
        (150 * row, 150 * column) for row in range(2) for column in range(3)
    ]


def test_nothing_is_written_beyond_the_edges():
    long = "a rather long name indeed"
    grid = Grid(
        title="Title",
        note="A note that goes on. " * 12,
        tiles=[[Tile(CHECKERS, long, "wrong"), None, Tile(CHECKERS, f"{long}\n{long}", "right")]],
        columns=[long] * 3,
        rows=[f"{long}\nin two lines"],
    )
    points = Scatter(
        title="Title",
        note="A note that goes on. " * 12,
        points=torch.randn(40, 2),
        labels=torch.arange(40) % 20,
        classes=[long] * 20,
    )
    for figure in (grid, points):
        page = pixels(draw(figure, "a-study-of-mine-1/12"))
        edge = np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]])
        assert (edge == 1).all()


def test_the_same_figure_gives_the_same_bytes():
    grid = Grid(title="T", note="N", tiles=tiles(2, 2))
    assert draw(grid, "x") == draw(grid, "x")


def test_a_page_of_colourful_noise_stays_below_300_kb():
    noise = torch.rand(60, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    page = [[Tile(image) for image in row] for row in noise.view(6, 10, 3, 32, 32)]
    assert len(draw(Grid(title="T", note="N", tiles=page), "x")) < LARGEST


def test_points_that_coincide_are_drawn():
    one = Scatter(
        title="T", note="N", points=torch.zeros(5, 2), labels=torch.zeros(5).long(), classes=["a"]
    )
    assert (pixels(draw(one, "x")) < 1).any()


@pytest.mark.parametrize(
    "arguments",
    [
        {"tiles": [[Tile(CHECKERS)], []]},
        {"tiles": [[Tile(CHECKERS), Tile(torch.zeros(1, 3, 3))]]},
        {"tiles": tiles(2, 2), "columns": ["one"]},
        {"tiles": tiles(2, 2), "rows": ["one"]},
        {"tiles": []},
    ],
)
def test_a_grid_that_does_not_fit_together_is_refused(arguments):
    with pytest.raises(ValueError, match="A grid"):
        Grid(title="T", note="N", **arguments)


@pytest.mark.parametrize(
    "name", ["caf\udce9", "two\nlines", "$\\frac{$", "$x", "_x", "😀", "א\u202eb"]
)
@pytest.mark.filterwarnings("error")
def test_a_class_may_have_any_name(name):
    images = ImageSet(torch.zeros(4, 1, 3, 3, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))
    splits = Splits(images, images, images, (name, "plain"))
    names = Subject(encoder=Pixels(9), splits=splits).class_names
    scatter = Scatter(
        title="", note="", points=torch.rand(4, 2), labels=images.labels, classes=names
    )
    alone = replace(scatter, classes=("", "plain"))
    assert (pixels(draw(scatter, "x")) < 0.5).sum() > (pixels(draw(alone, "x")) < 0.5).sum()
    grid = Grid(title="", note="", tiles=tiles(2, 2), rows=names, columns=names)
    plain = replace(grid, rows=("", "plain"), columns=("", "plain"))
    assert (pixels(draw(grid, name)) < 0.5).sum() > (pixels(draw(plain, name)) < 0.5).sum()
