"""Cuts that last, and splits that tell something apart."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.image_set import ImageSet, Splits
from trainables.data.splitting import by_name, missing_classes, place, refuse_one_class

WORD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
NAMES = st.lists(st.one_of(WORD, WORD.map(lambda word: f"{word}7.png")), unique=True, max_size=20)


def part_of(names, **settings):
    cut = by_name(names, (0.2, 0.3), seed=0, **settings)
    return {names[row]: part for part, rows in enumerate(cut) for row in rows.tolist()}


@given(NAMES, NAMES)
def test_no_image_moves_when_others_come(names, more):
    before = part_of(names)
    after = part_of(list(dict.fromkeys([*more, *names])))
    assert {name: after[name] for name in names} == before


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("first", [0, 20, 130])
def test_ten_numbered_images_fill_the_shares_exactly(first, seed):
    names = [f"cat/img_{number:03}.png" for number in range(first, first + 10)]
    assert [len(part) for part in by_name(names, (0.2, 0.3), seed=seed)] == [2, 3, 5]


def test_other_names_fill_the_shares_as_draws_do():
    letters = [
        f"{chr(97 + a)}{chr(97 + b)}{chr(97 + c)}.png"
        for a in range(20)
        for b in range(20)
        for c in range(20)
    ]
    val, test, _ = by_name(letters, (0.1, 0.2), seed=0)
    assert len(val) / 8000 == pytest.approx(0.1, abs=0.012)
    assert len(test) / 8000 == pytest.approx(0.2, abs=0.016)


def test_another_seed_is_another_cut():
    names = [f"{number}.png" for number in range(100)]
    one, other = (by_name(names, (0.2,), seed=seed)[0].tolist() for seed in (0, 1))
    assert one != other


def test_a_name_that_is_no_text_has_its_place():
    assert 0 <= place("cat/\udcff3.png", 0) < 1


def splits_of(train, val, test, classes=("cat", "dog")):
    parts = (ImageSet(torch.zeros(6, 1, 2, 2), torch.tensor(part)) for part in (train, val, test))
    return Splits(*parts, classes)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (([0, 1], [0, 0], [0, 1]), "all 2 validation images are of one class, 'cat'"),
        (([0, 1], [0, 1], [1]), "all 1 test images are of one class, 'dog'"),
        (([0, 0, 0], [0, 1], [0, 1]), "all 3 training images are of one class, 'cat'"),
        (([0, 1], [], [0, 1]), "the validation split has no images"),
    ],
)
def test_a_split_of_one_class_is_refused(parts, words):
    with pytest.raises(ValueError, match=words):
        refuse_one_class(splits_of(*parts))


def test_training_images_may_all_be_without_a_label():
    refuse_one_class(splits_of([], [0, 1], [0, 1]))


def test_a_class_that_is_missing_from_a_split_is_named_once():
    notes = missing_classes(splits_of([0, 1, 2], [0, 1], [0, 1, 2], ("cat", "dog", "eel")))
    assert list(notes) == [
        "no validation image is of 'eel': what is measured says nothing of them."
    ]
