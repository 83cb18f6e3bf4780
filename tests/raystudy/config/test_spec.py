"""The typed part of a study's YAML."""

import pytest

from raystudy.config import compose
from raystudy.config.spec import Objective, StudySpec
from raystudy.errors import UserError


def test_a_plain_name_is_maximised():
    assert Objective.read("val/accuracy") == Objective(metric="val/accuracy", direction="maximize")


def test_a_search_never_sees_the_test_split():
    with pytest.raises(UserError, match=r"must start with 'val/'.*got 'test/accuracy'"):
        Objective.read("test/accuracy")


def test_what_is_minimised_says_what_divergence_is_worth():
    with pytest.raises(UserError, match="say what a diverged trial is worth"):
        Objective.read({"metric": "val/error", "direction": "minimize"})
    objective = Objective.read({"metric": "val/error", "direction": "minimize", "worst": 1.0})
    assert objective.worst_value == 1.0
    assert objective.is_better(0.1, than=0.2)


def test_one_objective_may_stand_without_a_list():
    spec = StudySpec.read({"id": None, "name": "x", "objectives": "val/a", "num_trials": 3})
    assert [objective.metric for objective in spec.objectives] == ["val/a"]


@pytest.mark.parametrize("num_trials", [0, -1])
def test_a_study_has_a_trial(num_trials):
    with pytest.raises(UserError, match=f"num_trials must be at least 1, got {num_trials}"):
        StudySpec.read({"name": "x", "objectives": ["val/a"], "num_trials": num_trials})


@pytest.mark.parametrize("name", ["num_trials", "seed", "max_failures", "stall_minutes"])
@pytest.mark.parametrize("value", ["x", None, [1], True])
def test_numbers_are_numbers(name, value):
    section = {"name": "x", "objectives": ["val/a"], "num_trials": 3, name: value}
    with pytest.raises(UserError, match=rf"study\.{name} must be a (whole )?number, got"):
        StudySpec.read(section)


@pytest.mark.parametrize("section", [
    {"objectives": 3}, {"objectives": [3]}, {"objectives": True}, {"constraints": 5},
    {"budget": 3},
])  # fmt: skip
def test_lists_and_sections_are_such(section):
    (name,) = section
    with pytest.raises(UserError, match=rf"study\.{name} (must be|is) a "):
        StudySpec.read({"name": "x", "objectives": ["val/a"], "num_trials": 3, **section})


@pytest.mark.parametrize("text", ["study=3", "study=null", "search=3"])
def test_a_study_and_its_search_are_sections(text):
    with pytest.raises(UserError, match=f"{text.partition('=')[0]} is a section, got"):
        compose.load("cross_entropy", [text])
