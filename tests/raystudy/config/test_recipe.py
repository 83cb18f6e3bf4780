"""A study goes on with the recipe it was begun with."""

import json

import pytest
from omegaconf import OmegaConf

from raystudy.cli import main
from raystudy.config import compose, recipe
from raystudy.config.catalogue import find_yaml
from raystudy.config.spec import StudySpec
from raystudy.errors import UserError
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study.info import StudyInfo
from raystudy.study.replay import trial_overrides
from raystudy.study.stored import StoredStudy
from raystudy.study.study import Outcome, Study
from raystudy.trial import images
from raystudy.trial.build import load_splits

OWN = """
defaults: [simclr, _self_]
method: {{temperature: {temperature}}}
study: {{name: own}}
"""


def kept(*overrides):
    """What study.json holds of a recipe."""
    return json.loads(json.dumps(recipe.recipe_of(compose.load("swaro", [*overrides]))))


def test_the_same_recipe_goes_on():
    recipe.refuse_another("s-1", kept(), compose.load("swaro", []))


@pytest.mark.parametrize(
    "later",
    ["study.num_trials=99", "scaling.num_workers=2", "output_dir=elsewhere", "data.cache_dir=b"],
)
def test_what_trains_no_other_network_may_change(later):
    settings = compose.load("swaro", ["data=image_folder", "data.root=a", later])
    recipe.refuse_another("s-1", kept("data=image_folder", "data.root=a"), settings)


@pytest.mark.parametrize("later", ["method.temperature=0.1", "encoder=resnet18", "seed=3"])
def test_another_recipe_is_refused(later):
    with pytest.raises(UserError, match="s-1 was started with"):
        recipe.refuse_another("s-1", kept(), compose.load("swaro", [later]))


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ({}, {"new": 1}, "without new, which the YAML now sets to 1; take it out"),
        ({"old": 1}, {}, "with old=1, which the YAML no longer has; put it back"),
    ],
)
def test_a_setting_that_came_or_went_is_named(then, now, said):
    before = kept() | {f"trainer.{name}": value for name, value in then.items()}
    settings = compose.load("swaro", [f"+trainer.{name}={value}" for name, value in now.items()])
    with pytest.raises(
        UserError, match=said.replace("new", "trainer.new").replace("old", "trainer.old")
    ):
        recipe.refuse_another("s-1", before, settings)


def test_a_recipe_is_whole_again_from_its_differences():
    one, other = kept(), kept("encoder=resnet18", "seed=3")
    differing = recipe.relative(other, one)
    assert recipe.absolute(differing, one) == other
    assert len(differing) < len(other) / 4
    assert recipe.relative(one, one) == {}


def test_a_study_whose_yaml_was_changed_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    study, search_path = tmp_path / "own.yaml", [str(tmp_path)]
    study.write_text(OWN.format(temperature=0.5))
    begun_with = recipe.recipe_of(compose.load("own", ["max_epochs=1"], search_path))
    manifest = {"kind": "train", "name": "own", "overrides": ["max_epochs=1"], "format": 1}
    folder = create_study_folder(tmp_path, "own", None)
    more = {"search_path": search_path, "recipe": begun_with}
    folder.write_manifest(Manifest.read(manifest | more))
    study.write_text(OWN.format(temperature=0.25))
    assert main.main(["resume", folder.id]) == 2
    said = capsys.readouterr().err
    assert "method.temperature=0.5, for which the YAML now says 0.25" in said
    assert len(said.strip().splitlines()) == 1


SEARCHED = """
defaults: [simclr, _self_]
max_epochs: 1
method: {temperature: 0.5, embedding_width: 8}
study: {name: own, points: [{lr_schedule: mine}]}
sampler: {n_startup_trials: SEED}
search:
  lr_schedule: {type: categorical, choices: [rocl, mine]}
  optimizer.lr: {type: float, low: LOW, high: 100.0, log: true}
"""


def write_schedule(home, start=1.0):
    (home / "lr_schedule").mkdir(exist_ok=True)
    text = find_yaml("lr_schedule/rocl").read_text().replace("\nstart: 1.0", f"\nstart: {start}")
    (home / "lr_schedule" / "mine.yaml").write_text(text)


def searched(home, low="0.01", startup="4"):
    write_schedule(home)
    (home / "own.yaml").write_text(SEARCHED.replace("LOW", low).replace("SEED", startup))
    return SearchSpace.load("own", ["tracker=none"], [str(home)])


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Return a results folder with a sweep of the user's own YAML, as `sweep` starts it."""
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    space, composed = searched(tmp_path)
    splits = load_splits(compose.load("simclr", ["device=cpu"]))
    folder = create_study_folder(tmp_path, "own", "mine")
    folder.write_manifest(
        Manifest.start(
            "sweep",
            "own",
            ["tracker=none"],
            [str(tmp_path)],
            data="digits",
            study=compose.plain(composed.config.study),
            recipe=recipe.recipe_of(composed.config, space.distributions),
            images=images.cut_of(splits),
        )
    )
    images.save(folder, splits)
    info = StudyInfo.of(
        folder, space, StudySpec.read(composed.config.study), folder.read_manifest(), resumed=False
    )
    samplers = {"sampler": {"_target_": "optuna.samplers.RandomSampler"}}
    pruner = {"_target_": "optuna.pruners.NopPruner"}
    with Study.open(info, space, **samplers, trial_scheduler=pruner) as study:
        for _ in range(2):
            trial = study.next_trial()
            for objective in info.spec.objectives:
                study.report(trial.number, 1, {objective.metric: 0.5})
            study.finish(trial.number, Outcome("completed"))
        study.interrupted = True
    stored = StoredStudy(folder)
    for trial in stored.trials:  # as a trial does when it begins
        config = compose.load("own", trial_overrides(stored, trial), [str(tmp_path)])
        kept = folder.trial(trial.summary.number).config
        kept.parent.mkdir(parents=True)
        OmegaConf.save(config, kept, resolve=True)
    return tmp_path


CONTINUING = [
    ["resume", "mine"],
    ["extend", "mine", "study.num_trials=+1"],
    ["confirm", "mine"],
]


@pytest.mark.parametrize("command", CONTINUING, ids=" ".join)
def test_a_search_goes_on_under_no_changed_yaml(command, search, capsys):
    searched(search, low="0.02")
    assert main.main(command) == 2
    said = capsys.readouterr().err
    assert "search.optimizer.lr.low=0.01, for which the YAML now says 0.02" in said
    assert len(said.strip().splitlines()) == 1
    assert [path.name for path in (search / "studies").iterdir()] == ["mine"]


@pytest.mark.parametrize("command", [*CONTINUING, ["replay", "mine/1"]], ids=" ".join)
def test_an_option_that_a_trial_has_chosen_is_held_to_its_yaml(command, search, capsys):
    write_schedule(search, start=0.5)
    assert main.main(command) == 2
    said = capsys.readouterr().err
    assert "mine/1 was started with lr_schedule.start=1.0, for which the YAML now says 0.5" in said


def test_a_trial_of_another_option_is_replayed(search, capsys):
    write_schedule(search, start=0.5)
    searched(search, low="0.02")  # nor does it matter what else was searched
    write_schedule(search, start=0.5)
    assert main.main(["replay", "mine/0"]) == 0
    assert "mine/1" not in capsys.readouterr().err


def test_a_search_goes_on_with_no_other_sampler(search, capsys):
    searched(search, startup="9")
    assert main.main(["resume", "mine"]) == 2
    assert "sampler.n_startup_trials=4, for which the YAML now says 9" in capsys.readouterr().err


def test_weights_are_taken_up_by_no_other_network(search, capsys):
    path = search / "own.yaml"
    path.write_text(path.read_text().replace("embedding_width: 8", "embedding_width: 16"))
    assert main.main(["evaluate", "mine/0"]) == 2
    said = capsys.readouterr().err
    assert (
        "mine/0 was started with method.embedding_width=8, for which the YAML now says 16" in said
    )


def test_weights_are_taken_up_where_only_the_search_has_changed(search, capsys):
    searched(search, low="0.02")
    assert main.main(["evaluate", "mine/0"]) == 2
    assert "mine/0 has left no weights" in capsys.readouterr().err
