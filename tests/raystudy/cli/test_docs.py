"""The pages of documentation, and the reference of settings."""

import json
import re
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from raystudy.cli import main
from raystudy.cli.docs import pages
from raystudy.config import catalogue

ROOT = Path(__file__).parents[3]


def test_all_are_listed_the_tutorial_first(capsys):
    assert main.main(["docs"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0] == "  tutorial   From digits to a paper's table"
    assert [line.split()[0] for line in listed[: len(pages())]] == list(pages())


@pytest.mark.parametrize("page", pages())
def test_a_page_is_printed_as_it_is_in_100_columns(capsys, page):
    assert main.main(["docs", page]) == 0
    text = pages()[page].read_text()
    assert capsys.readouterr().out.startswith(text.rstrip())
    prose = re.sub(r"```.*?```|^\|.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert max(map(len, prose.splitlines())) <= 100


def test_a_misspelt_page_is_one_sentence(capsys):
    assert main.main(["docs", "tutoral"]) == 2
    said = "raystudy: no page 'tutoral'; did you mean 'tutorial'? 'raystudy docs' lists them.\n"
    assert capsys.readouterr().err == said


def test_the_wheel_has_them():
    files = {one.distribution_path for one in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"raystudy/docs/{page}.md" for page in pages()} <= files


def test_the_reference_has_every_option_as_its_yaml_says(capsys):
    assert main.main(["show", "--all", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    for group in (*catalogue.GROUPS, *catalogue.MEASURING):
        assert all(listed[f"{group}={name}"] for name in catalogue.options(group))
    assert listed["base"]["device"] == {"value": "auto", "about": "auto, cpu or cuda"}
    assert listed["attack=pgd_linf"]["attack.step_size"]["value"] == "${pixels:2}"
    assert listed["evaluate=guarded"] == {
        "defaults": {"value": "classifier, collapse", "about": ""}
    }
    assert listed["data=cifar10_c"]["data.corruptions"]["value"].startswith("[gaussian_noise, ")


def test_the_page_of_settings_ends_with_the_reference(capsys):
    main.main(["show", "--all"])
    reference = capsys.readouterr().out
    main.main(["docs", "settings"])
    assert capsys.readouterr().out.endswith(f"\n\n{reference}")


def test_an_option_of_ones_own_is_in_the_reference(capsys, tmp_path):
    (tmp_path / "sampler").mkdir()
    (tmp_path / "sampler/mine.yaml").write_text("# luck\n_target_: dice.Dice\nsides: 6  # fair\n")
    assert main.main(["show", "--all", "--search-path", str(tmp_path)]) == 0
    assert re.search(
        r"^sampler=mine  luck\n.*\n +sampler.sides +6 +fair", capsys.readouterr().out, re.M
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "show needs a study ('raystudy list' names them), or --all."),
        (["show", "data=cifar10"], "show needs a study"),
        (["show", "swaro", "--all"], "show --all is of no one study; leave out swaro."),
    ],
)
def test_show_is_of_a_study_or_of_all(capsys, words, said):
    assert main.main(words) == 2
    assert said in capsys.readouterr().err
