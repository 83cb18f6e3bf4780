"""Balls as tables print them."""

import pytest

from trainables.evaluate.ball_name import ball_name


@pytest.mark.parametrize(
    ("norm", "epsilon", "name"),
    [
        ("linf", 8 / 255, "linf 8/255"),
        ("linf", 1.0, "linf 1"),
        ("linf", 0.1, "linf 0.1"),
        ("linf", 51 / 255, "linf 0.2"),
        ("linf", 0.0314, "linf 0.0314"),
        ("linf", 0.0, "linf 0"),
        ("l2", 0.5, "l2 0.5"),
        ("l1", 2000 / 255, "l1 7.843"),
    ],
)
def test_pixel_levels_are_told_where_they_are_whole(norm, epsilon, name):
    assert ball_name(norm, epsilon) == name
