"""A composition that is kept is what Hydra would compose."""

import pytest
from omegaconf import OmegaConf

from raystudy.config import compose, hydra_files, yaml_source

OVERRIDES = {
    "none": (),
    "settings": ("max_epochs=3", "optimizer.lr=0.3", "encoder.widths=[8,16]", "seed='1'"),
    "choices": ("data=cifar10", "attack=rocl_digits", "max_epochs=3"),
    "later wins": ("max_epochs=3", "max_epochs=4"),
    "an added one after a change": ("clusters.probability=0.5", "++clusters.probability=0.7"),
    "a change after an added one": ("++clusters.probability=0.7", "clusters.probability=0.5"),
    "added": ("+search.seed={low: 0, high: 3}", "max_epochs=2"),
    "removed": ("max_epochs=2", "~study.budget", "seed=3"),
    "a choice that is added": ("+suite=quick", "suite.max_images=20", "~suite.checks"),
    "a section": ("attack={steps: 3}",),
    "a reference": ("batch_size=${seed}", "seed=4"),
    "missing": ("max_epochs=???",),
}


@pytest.mark.parametrize("overrides", OVERRIDES.values(), ids=OVERRIDES)
def test_what_is_kept_is_what_hydra_composes(overrides):
    def outcome(read):
        try:
            composed = read("swaro", overrides, ())
        except Exception as error:
            return type(error), str(error)
        return OmegaConf.to_container(composed.config), composed.choices

    hydra_files.read("swaro", (), ())
    assert outcome(hydra_files.read) == outcome(hydra_files._compose)


def test_a_file_of_the_users_that_changed_is_read_anew(tmp_path):
    (tmp_path / "own").mkdir()
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path / "own")
    file = tmp_path / "own" / "mine.yaml"
    found = []
    for epochs, data in ((3, "digits"), (31, "digits"), (31, "cifar10")):
        file.write_text(
            f"defaults: [base, {{override data: {data}}}, _self_]\nmax_epochs: {epochs}"
        )
        composed = compose.compose("mine", [], [str(linked)])
        found.append((composed.config.max_epochs, composed.choices["data"]))
    assert found == [(3, "digits"), (31, "digits"), (31, "cifar10")]


def test_of_a_large_tree_nothing_is_kept(tmp_path):
    for number in range(hydra_files.MOST_FOLDERS):
        (tmp_path / str(number)).mkdir()
    assert hydra_files._state((str(tmp_path),)) is None
    assert hydra_files._state((str(tmp_path / "0"),)) == ()


def test_what_a_caller_changes_stays_with_the_caller():
    compose.load("swaro", ["seed=1"]).max_epochs = 7
    assert compose.load("swaro", ["seed=2"]).max_epochs != 7


def test_settings_that_are_not_there_cannot_be_set_by_a_typing_mistake():
    with pytest.raises(Exception, match="no_such"):
        compose.load("swaro", ["seed=1"]).no_such = 7


def test_another_composition_of_the_same_files_parses_none_of_them_again():
    hydra_files.read("swaro", ("encoder=resnet18",), ())
    before = yaml_source.parsed.cache_info().misses
    composed = hydra_files.read("swaro", ("encoder=resnet50", "encoder=resnet18"), ())
    assert composed.choices["encoder"] == "resnet18"
    assert yaml_source.parsed.cache_info().misses == before
