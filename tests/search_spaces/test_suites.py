"""Every suite there is, built from its file; a new one is enrolled by existing."""

import pytest

from raystudy.config import catalogue, compose
from raystudy.evaluation.record import norm_of_recipe
from raystudy.trial.build import build_suite

SUITES = catalogue.options("suite")


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_builds_and_is_of_the_test_images(name):
    settings = compose.load("swaro", ["data=cifar10", f"+suite={name}"])
    suite = build_suite(settings)
    assert suite.split == "test"
    for name, attack in suite.attacks.items():
        assert attack.radii == sorted(set(attack.radii))
        assert norm_of_recipe(settings.suite.attacks[name]) in ("linf", "l2", "l1")


def test_suites_without_a_paper_take_the_radii_of_the_data():
    for data, radius in (("digits", 0.1), ("cifar10", 8 / 255)):
        suite = build_suite(compose.load("swaro", [f"data={data}", "+suite=quick"]))
        assert suite.attacks["pgd20_linf"].radii == [radius]


def test_swaros_first_table_has_its_six_columns():
    suite = build_suite(compose.load("swaro", ["data=cifar10", "+suite=swaro_table1"]))
    radii = {name: attack.radii for name, attack in suite.attacks.items()}
    assert radii == {
        "pgd20_linf": [8 / 255, 16 / 255],
        "pgd20_l2": [0.25, 0.5],
        "slide20_l1": [2000 / 255, 12],
    }


def test_fast_ats_figure_has_twenty_steps_from_ten_starts():
    suite = build_suite(compose.load("fast_at", ["data=cifar10", "+suite=fast_at_figure2"]))
    attack = suite.attacks["pgd20x10_l2"].adversary
    assert (attack.steps, attack.restarts, attack.relative_step) == (20, 10, 2.5 / 20)
