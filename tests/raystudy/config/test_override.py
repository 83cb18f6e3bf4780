"""One override as it is meant."""

import shlex
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystudy.cli import main
from raystudy.config import compose, override
from raystudy.config.spec import StudySpec
from raystudy.errors import UnreadableError, UserError

ISSUE = "/tmp/büro (alt)/a,b&c#d=e"


@pytest.mark.parametrize(
    "value",
    [
        ISSUE,
        *("[old]", "{x}", "a,b", "2024", "0.1", "1e-3", "true", "photos(1)", "it's", "~/x"),
        *("/tmp/a b ", "/tmp/a=b", "日本", "a;b", "$HOME", "C:\\x", "/ü\\", "a\nb", "@x", "!x"),
    ],
)
def test_a_setting_that_is_text_takes_any_text(value):
    settings = compose.load("simclr", ["data=image_folder", f"data.root={value}"])
    assert settings.data.root == value
    assert compose.load_shared([f"output_dir={value}"]).output_dir == value


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_absolute_path_is_itself(name):
    value = f"/{name}".replace("\\", "").replace("${", "")
    assert override.parse(f"data.root={value}").value() == value
    assert override.parse(f"mine.folder={value}x").value() == f"{value}x".rstrip()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x.y=büro", "büro"),
        ("x.y=/a,b", "/a,b"),
        ("x.y=./a (1)", "./a (1)"),
        ("x.y=[1,2]", [1, 2]),
        ("x.y={a: 1}", {"a": 1}),
        ("x.y=0.1", 0.1),
        ("x.y=null", None),
        ("data.root=null", None),
        ("study.id='0.1'", "0.1"),
        ('data.root="/a b"', "/a b"),
        ("data.root=/a\\,b", "/a,b"),
        ("data.root=${oc.env:PICS}/ü (1)", "${oc.env:PICS}/ü (1)"),
    ],
)
def test_what_hydra_can_read_stays_hydras(text, value):
    assert override.parse(text).value() == value
    assert override.as_meant(override.as_meant(text)) == override.as_meant(text)


@pytest.mark.parametrize("text", ["data.root=choice(/a,/b)", "x.y=choice(1,2)", "x.y=range(1,3)"])
def test_a_sweep_stays_a_sweep(text):
    assert override.as_meant(text) == text
    assert override.parse(text).is_sweep_override()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("x.y=[val/accuracy >= 0.8]", 'x.y=["val/accuracy >= 0.8"]'),
        ("x.y=choise(1,2)", "x.y=choice(1,2)"),
        ("x.y=choice(1,2", "x.y=choice(1,2)"),
        ("x.y=[1,[2,3]", "x.y=[1,[2,3]]"),
        ("data.root=choice(/ü,/b)", 'data.root=choice("/ü",/b)'),
        ("x.y=photos(1)", 'x.y="photos(1)"'),
    ],
)
def test_what_cannot_be_told_is_answered_by_the_command_that_works(wrong, right):
    with pytest.raises(UnreadableError) as refusal:
        override.parse(wrong)
    told = refusal.value.within(["plan", "swaro", wrong]).partition("did you mean: ")[2]
    assert shlex.split(told) == ["raystudy", "plan", "swaro", right]
    assert override.parse(right)


def test_the_command_line_shows_the_command_that_works(capsys):
    assert main.main(["train", "at", "study.constraints=[val/accuracy >= 0.8]"]) == 2
    told = capsys.readouterr().err
    assert """raystudy train at 'study.constraints=["val/accuracy >= 0.8"]'""" in told
    assert "\n" not in told.strip()


def test_one_trial_has_one_value(capsys):
    for text in ("optimizer.lr=0.1,0.2", "optimizer.lr=choice(0.1,0.2)"):
        assert main.main(["train", "at", text]) == 2
        told = capsys.readouterr().err
        assert "one trial has one value" in told
        assert "multirun" not in told


def test_every_text_of_a_study_takes_any_text():
    texts = {
        name for name, kind in typing.get_type_hints(StudySpec).items() if kind in (str, str | None)
    }
    assert {f"study.{name}" for name in texts} | {"study.id"} == {
        path for path in override.TEXT if path.startswith("study.")
    }


def test_no_path_is_no_override():
    for text in ("=3", "word", "a b=3"):
        with pytest.raises(UserError, match="write path=value"):
            override.parse(text)
