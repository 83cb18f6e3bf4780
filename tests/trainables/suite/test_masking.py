"""Each sign of gradient masking is called out, and a model without any is left in peace."""

import pytest

from trainables.suite.masking import (
    Evidence,
    accuracy_rises,
    black_box_beats_white_box,
    cross_entropy_hides,
    gradients_vanish,
    loss_falls,
    restarts_help,
    signs_of_masking,
    single_step_beats_many,
    steps_still_help,
    unbounded_attack_fails,
)

SOUND = {
    "one_step": 0.57,
    "many_steps": 0.45,
    "black_box": {"Square": 0.52, "simclr-1": 0.78},
    "unbounded": 0.0,
    "losses": {1: 2.0, 5: 6.39, 20: 6.575, 50: 6.579},
    "by_steps": {1: 0.57, 20: 0.45, 100: 0.448},
    "by_restarts": {1: 0.45, 10: 0.443},
    "by_epsilon": {0.0: 0.82, 4 / 255: 0.64, 8 / 255: 0.45},
    "by_margin": 0.45,
    "zero_gradients": 0.0,
    "slope_error": 0.02,
    "changing": 0.0,
}
# What one thing must become to be a sign, and words of the warning.
SIGNS = [
    ("one_step", 0.40, "A one-step attack is stronger"),
    ("black_box", {"Square": 0.30}, "Square"),
    ("unbounded", 0.2, "20.0 %"),
    ("losses", {1: 2.0, 5: 1.5}, "falls"),
    ("by_steps", {20: 0.45, 100: 0.30}, "More steps"),
    ("by_restarts", {1: 0.45, 5: 0.38, 10: 0.34}, "More restarts"),
    ("by_epsilon", {4 / 255: 0.42, 8 / 255: 0.48}, "rises with epsilon"),
    ("by_margin", 0.15, "margin-loss attack is stronger than the cross-entropy ones"),
    ("zero_gradients", 0.3, "30.0 %"),
    ("slope_error", 0.4, "The gradient disagrees with finite differences"),
    ("changing", 0.005, "logits of 0.5 % of the images change"),
]


def test_a_sound_model_gets_no_warning():
    assert signs_of_masking(Evidence(**SOUND)) == []


def test_without_evidence_there_is_nothing_to_say():
    assert signs_of_masking(Evidence()) == []


@pytest.mark.parametrize(("name", "value", "words"), SIGNS)
def test_one_sign_is_one_warning_in_words(name, value, words):
    (warning,) = signs_of_masking(Evidence(**{**SOUND, name: value}))
    assert words in warning


def test_every_sign_is_reported():
    evidence = Evidence(**{**SOUND, **{name: value for name, value, _ in SIGNS}})
    assert len(signs_of_masking(evidence)) == len(SIGNS)


def test_what_may_be_chance_is_overlooked():
    assert single_step_beats_many(0.445, 0.45) == []
    assert black_box_beats_white_box(0.45, {"Square": 0.445}) == []
    assert unbounded_attack_fails(0.005) == []
    assert loss_falls({10: 2.0, 20: 1.99}) == []
    assert accuracy_rises({0.1: 0.5, 0.2: 0.505}) == []
    assert gradients_vanish(0.005) == []


def test_a_handful_of_images_more_is_chance():
    of_a_hundred = {**SOUND, "images": 100, "black_box": {"Square": 0.40}, "one_step": 0.40}
    assert signs_of_masking(Evidence(**of_a_hundred)) == []
    assert len(signs_of_masking(Evidence(**{**of_a_hundred, "images": 1000}))) == 2
    assert black_box_beats_white_box(0.71, {"Square": 0.69}) == []  # 0.0200000000000000018


def test_what_the_margin_wins_on_honest_networks_is_overlooked():
    assert cross_entropy_hides(0.17, 0.11) == []
    assert restarts_help({1: 0.25, 5: 0.175}) == []


def test_a_loss_that_is_no_number_is_called_out():
    assert "not finite after 20 steps" in loss_falls({5: 1.0, 20: float("nan"), 50: 2.0})[0]


def test_only_the_last_steps_decide_whether_an_attack_is_done():
    assert steps_still_help({1: 0.8, 20: 0.45, 50: 0.44}) == []
    assert restarts_help({1: 0.45}) == []


def test_the_order_of_measurements_does_not_matter():
    assert loss_falls({50: 1.0, 1: 2.0}) == loss_falls({1: 2.0, 50: 1.0}) != []
    assert accuracy_rises({0.2: 0.9, 0.1: 0.5}) != []


def test_negative_losses_may_rise_towards_zero():
    assert loss_falls({1: -3.0, 10: -1.0, 20: -0.5}) == []
    assert loss_falls({1: -1.0, 10: -3.0}) != []
