"""A study goes on with the recipe it was begun with."""

import json

import pytest

from raystudy import cli, config, recipe
from raystudy.errors import UserError
from raystudy.manifest import Manifest
from raystudy.study_folder import create_study_folder

OWN = """
defaults: [simclr, _self_]
method: {{temperature: {temperature}}}
study: {{name: own}}
"""


def kept(*overrides):
    """What study.json holds of a recipe."""
    return json.loads(json.dumps(recipe.of(config.load("swaro", [*overrides]))))


def test_the_same_recipe_goes_on():
    recipe.refuse_another("s-1", kept(), config.load("swaro", []))


@pytest.mark.parametrize(
    "later",
    ["study.num_trials=99", "scaling.num_workers=2", "output_dir=elsewhere", "data.cache_dir=b"],
)
def test_what_trains_no_other_network_may_change(later):
    settings = config.load("swaro", ["data=image_folder", "data.root=a", later])
    recipe.refuse_another("s-1", kept("data=image_folder", "data.root=a"), settings)


@pytest.mark.parametrize("later", ["method.temperature=0.1", "encoder=resnet18", "seed=3"])
def test_another_recipe_is_refused(later):
    with pytest.raises(UserError, match="s-1 was started with"):
        recipe.refuse_another("s-1", kept(), config.load("swaro", [later]))


def test_a_study_whose_yaml_was_changed_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    study, search_path = tmp_path / "own.yaml", [str(tmp_path)]
    study.write_text(OWN.format(temperature=0.5))
    begun_with = recipe.of(config.load("own", ["max_epochs=1"], search_path))
    manifest = {"kind": "train", "name": "own", "overrides": ["max_epochs=1"], "format": 1}
    folder = create_study_folder(tmp_path, "own", None)
    more = {"search_path": search_path, "recipe": begun_with}
    folder.write_manifest(Manifest.read(manifest | more))
    study.write_text(OWN.format(temperature=0.25))
    assert cli.main(["resume", folder.id]) == 2
    said = capsys.readouterr().err
    assert "method.temperature=0.5, for which the YAML now says 0.25" in said
    assert len(said.strip().splitlines()) == 1
