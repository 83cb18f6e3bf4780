"""Whom a setting concerns is said once, in one table."""

import ast
from pathlib import Path

import pytest

import raystudy
from raystudy.cli import sweep
from raystudy.config import catalogue, compose, override, scopes
from raystudy.config.scopes import Scope
from raystudy.errors import UserError

SOURCES = Path(raystudy.__file__).parent
OWNERS = ("config/scopes.py", "config/override.py", "config/catalogue.py")
NODES = {row.partition(".")[0] for row in scopes.TABLE}


@pytest.fixture(name="paths", scope="module")
def all_paths():
    """Every path of every study, and every group."""
    found = {path for name in catalogue.study_names() for path in compose.settings(name)}
    return {path.replace("@", ".") for path in found | {*catalogue.GROUPS, *catalogue.MEASURING}}


def test_every_setting_of_every_study_has_exactly_one_scope(paths):
    for path in paths:
        rows = [row for row in scopes.TABLE if fits(row, path)]
        lengths = [row.count(".") for row in rows]
        assert len(lengths) == len(set(lengths)), path
        own = scopes.TABLE[max(rows, key=lambda row: row.count("."))] if rows else Scope.TRIAL
        assert scopes.of(path) is own


def fits(row, path):
    ours, theirs = row.split("."), path.split(".")
    return all(a in ("*", b) for a, b in zip(ours, theirs, strict=False)) and len(ours) <= len(
        theirs
    )


def test_every_row_of_the_table_is_there_for_a_setting(paths):
    images = compose.settings("swaro") + [
        f"data.{path}"
        for name in catalogue.options("data")
        for path in compose.flatten(compose.load("swaro", [f"data={name}"]).data)
    ]
    assert [row for row in scopes.TABLE if not any(fits(row, p) for p in {*paths, *images})] == []


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("data=cifar10", Scope.TRIAL),
        ("data.root=/images", Scope.IMAGES),
        ("++data.root=/images", Scope.IMAGES),
        ("data.rooted=1", Scope.TRIAL),
        ("~study.budget", Scope.LIMIT),
        ("study.budget.wall_hours=2", Scope.LIMIT),
        ("study.num_trials_more=2", Scope.SEARCH),
        ("tracker=none", Scope.TRACKER),
        ("+tracker.uri=sqlite:////a=b", Scope.TRACKER),
        ("scaling=cluster", Scope.MACHINE),
        ("output_dirs=x", Scope.TRIAL),
        ("attack@method.attack=pgd_l2", Scope.TRIAL),
        ("my_own.setting=1", Scope.TRIAL),
        ("evaluate.probe.attack.steps=5", Scope.MEASURING),
        ("evaluate.probe.batch_size=5", Scope.SPEED),
    ],
)
def test_an_override_concerns_whom_its_setting_concerns(text, scope):
    assert scopes.of(text) is scope


@pytest.mark.parametrize(
    "text", ["scaling=cluster", "tracker=none", "tracker.enabled=false", "study.max_failures=5"]
)
def test_a_group_may_change_on_resume_as_its_settings_may(text):
    assert scopes.of(text) in scopes.CHANGEABLE


@pytest.mark.parametrize("text", ["seed=3", "data=cifar10", "sampler=random", "study.seed=1"])
def test_what_results_depend_on_may_not_change_on_resume(text):
    with pytest.raises(UserError, match=f"'{override.path_of(text)}' cannot change"):
        sweep.resume("none-1", [text])


def test_a_later_driver_keeps_what_the_study_is_and_not_what_the_last_one_ran_on():
    asked = ["study.num_trials=9", "data.root=/images", "scaling=cluster", "output_dir=a"]
    assert scopes.select(asked, scopes.KEPT) == asked[:2]


def test_min_epochs_concern_the_search_alone():
    assert scopes.of("min_epochs") not in (*scopes.RECIPE, *scopes.OF_A_TRIAL)
    assert scopes.of("min_epochs") in scopes.SEARCH_RECIPE


def test_where_images_are_is_never_compared():
    places = ["data.root", "data.splits.root", "data.download", "data.splits.cache_dir"]
    compared = (*scopes.RECIPE, *scopes.SEARCH_RECIPE, *scopes.CONFIGURATION)
    assert scopes.select(places, compared) == []


def test_a_trial_is_handed_its_device_and_its_aims_and_nothing_of_the_study():
    asked = ["device=cpu", "study.objectives=[val/accuracy]", "study.name=x", "sampler=random"]
    assert scopes.select(asked, scopes.OF_A_TRIAL) == asked[:2]


def test_nobody_else_keeps_a_list_of_settings():
    strays = [
        f"{path.relative_to(SOURCES)}:{node.lineno}"
        for path in sorted(SOURCES.rglob("*.py"))
        if str(path.relative_to(SOURCES)) not in OWNERS
        for node in ast.walk(ast.parse(path.read_text()))
        if asks_by_prefix(node)
    ]
    assert strays == []


def asks_by_prefix(node):
    """Whether a call is ``text.startswith(...)`` of a setting's name, or of several."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    if node.func.attr != "startswith" or not node.args:
        return False
    names = [n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)]
    return any(isinstance(name, str) and is_setting(name) for name in names)


def is_setting(name):
    return name.rstrip("=.").lstrip("+~").partition(".")[0] in NODES
