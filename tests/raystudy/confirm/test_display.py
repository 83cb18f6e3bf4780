"""What a confirm says before it begins."""

import dataclasses
import io

import pytest
from rich.console import Console
from stored_search import search

from raystudy.confirm import display, finalists
from raystudy.study import stored
from raystudy.study.plan import check
from trainables.data.digits import digits


def said(study, *overrides, top=1):
    manifest = study.folder.read_manifest()
    manifest = dataclasses.replace(
        manifest,
        overrides=(*manifest.overrides, *overrides),
        confirm=finalists.choose(study, top=top, seeds=3),
    )
    study.folder.write_manifest(manifest)
    console = Console(file=io.StringIO(), width=200)
    found = check.Findings("8 train, 4 val, 4 test", 100, digits())
    settings = stored.race_settings(manifest)
    display.show_plan(console, study.folder, study, settings, found)
    rows = (line.split("  ", 1) for line in console.file.getvalue().splitlines())
    return {name: words.strip() for name, words in rows}


def test_a_budget_is_told_with_what_it_forbids(tmp_path):
    study = search(tmp_path, [0.5, 0.6])
    told = said(study, "study.budget.passes=1e6", "study.num_trials=5")
    assert told["budget"] == "5 runs, 1e+06 passes; no round starts beyond it"
    assert told["finalists"] == "trial 1; and trial 0, the published recipe"
    assert told["test split"].startswith("read once")


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.6]])
def test_of_a_noise_floor_no_test_image_is_read(tmp_path, values):
    told = said(search(tmp_path, values), top=0)
    assert told["finalists"] == "none: trial 0, the recipe, alone"
    assert told["test split"] == "not read"
    assert "budget" not in told
