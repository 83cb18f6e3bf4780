"""Scales, marks and lines: what is drawn stands where the value is."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from raystudy.report.drawing import marks, svg
from raystudy.report.drawing.legend import ROW, Entry, lay_out
from raystudy.report.drawing.plot import DISTINGUISHABLE, Plot, Spot
from raystudy.report.drawing.scales import Choices, Linear, Log, of_axis, short
from raystudy.report.history import stairs

FINITE = st.floats(-1e6, 1e6)


def plot(**sizes):
    return Plot(Linear(0, 10), Linear(0, 1), x_label="x", y_label="y", **sizes)


def parsed(picture):
    return ElementTree.fromstring(picture)


@given(st.lists(FINITE, min_size=1))
def test_a_linear_scale_has_every_value_inside_and_keeps_distances(values):
    scale = Linear.around([*values, math.nan, math.inf])
    for value in values:
        place = (value - scale.low) / (scale.high - scale.low)
        assert scale.place(value) == pytest.approx(place)
        assert 0 < place < 1


@given(FINITE, st.floats(1e-3, 1e6))
def test_ticks_are_round_values_at_their_own_places(low, width):
    scale = Linear(low, low + width)
    for place, words in scale.ticks():
        assert scale.place(float(words)) == pytest.approx(place, abs=1e-2)
    assert 2 <= len(scale.ticks()) <= 8


def test_ticks_of_whole_numbers_are_whole():
    assert [words for _, words in Linear(0, 3, whole=True).ticks()] == ["0", "1", "2", "3"]


def test_a_log_scale_puts_the_geometric_mean_in_the_middle():
    scale = Log(0.01, 100)
    assert scale.place(1.0) == pytest.approx(0.5)
    assert [words for _, words in scale.ticks()] == ["0.01", "0.1", "1", "10", "100"]


def test_true_and_one_are_two_choices():
    scale = Choices([1, True, "a"])
    assert [scale.place(v) for v in (1, True, "a")] == pytest.approx([1 / 6, 3 / 6, 5 / 6])


@pytest.mark.parametrize(
    ("axis", "scale"),
    [
        (FloatDistribution(0.1, 2.0), Linear(0.1, 2.0)),
        (FloatDistribution(0.1, 2.0, log=True), Log(0.1, 2.0)),
        (IntDistribution(1, 9), Linear(1, 9, whole=True)),
        (IntDistribution(3, 3), Choices([3])),
        (CategoricalDistribution(["a", None]), Choices(("a", None))),
    ],
)
def test_an_axis_of_the_search_is_drawn_from_bound_to_bound(axis, scale):
    assert of_axis(axis) == scale


def test_small_and_large_numbers_are_short():
    assert [short(v) for v in (1e-5, 0.02, 3.0, 1e11, 0.0)] == ["1e-5", "0.02", "3", "1e11", "0"]


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), min_size=2, max_size=40))
def test_a_line_does_not_drift_off_its_points(points):
    picture = plot()
    picture.line(points, "#000")
    (path,) = [p.get("d") for p in parsed(picture.svg("")).iter() if "l" in (p.get("d") or "")]
    start, *steps = [tuple(map(float, pair)) for pair in re.findall(r"([-\d.]+),([-\d.]+)", path)]
    x, y = start
    for dx, dy in steps:
        x, y = x + dx, y + dy
    assert (x, y) == pytest.approx(picture.frame.at(*points[-1]), abs=0.06)
    assert len(steps) == len(points) - 1


def test_marks_stand_at_their_values_and_say_them():
    picture = plot()
    picture.marks([Spot(5, 0.5, "trial 3"), Spot(1, math.nan, "none")], marks.STATES["complete"])
    titles = {t.text for t in parsed(picture.svg("")).iter("{http://www.w3.org/2000/svg}title")}
    assert titles == {"trial 3"}
    x, y = picture.frame.at(5, 0.5)
    assert f"M{svg.coordinate(x)},{svg.coordinate(y)}h0" in picture.svg("")


def test_very_many_marks_are_one_path_of_a_few_bytes_each():
    many = 5 * DISTINGUISHABLE
    empty, full = plot(), plot()
    full.marks([Spot(10 * i / many, 0.5, "words") for i in range(many)], marks.DOMINATED)
    drawn = full.svg("")
    assert "words" not in drawn
    assert drawn.count("<path") == empty.svg("").count("<path") + 1
    assert len(drawn) - len(empty.svg("")) < 12 * many


@given(st.text())
def test_any_words_make_a_well_formed_picture(words):
    picture = Plot(Choices([words]), Linear(0, 1), x_label=words, y_label=words)
    picture.marks([Spot(words, 0.5, words)], marks.RECIPE)
    picture.words(words, 0.5, words)
    picture.key(words, marks.RECIPE)
    picture.level(0.2, words)
    assert parsed(picture.svg(words)).tag.endswith("svg")


def test_what_does_not_fit_a_row_of_the_key_goes_to_the_next():
    words = "a mark of many words"
    room = Entry(words=words).width
    entries = [Entry(words=words, look=marks.RECIPE)] * 5
    _, low = lay_out(entries, 0, 5 * room)
    parts, high = lay_out(entries, 0, 2 * room)
    assert (low, high) == (ROW, 3 * ROW)
    assert sum(words in part for part in parts) == 5
    assert lay_out([], 0, 100) == ([], 0)


def test_stairs_keep_a_value_until_the_next():
    assert stairs([(0, 1.0), (3, 2.0)], 5) == [(0, 1.0), (3, 1.0), (3, 2.0), (5, 2.0)]
    assert stairs([], 5) == []


def test_states_can_be_told_apart_in_greyscale():
    """By the path they are drawn with or, where that is the same, by size or lightness."""
    drawn = {}
    for state, look in marks.STATES.items():
        red, green, blue = (int(look.colour.ljust(7, "2")[i : i + 2], 16) for i in (1, 3, 5))
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        for other, (path, width, lightness) in drawn.items():
            alike = (
                look.path == path and abs(light - lightness) < 40 and abs(look.width - width) < 1
            )
            assert not alike, (state, other)
        drawn[state] = look.path, look.width, light
