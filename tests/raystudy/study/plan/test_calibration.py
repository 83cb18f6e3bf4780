"""What is measured before a study is what its trials then do."""

import pytest

from raystudy.cli import main
from raystudy.config import compose
from raystudy.config.spec import StudySpec
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.study.info import StudyInfo
from raystudy.study.plan import calibration
from raystudy.study.study import Study

SMALL = ["tracker=none", "device=cpu", "encoder.widths=[8,16]"]


def planned(folder, *overrides):
    space, composed = SearchSpace.load("swaro", [*SMALL, *overrides])
    manifest = Manifest(kind="sweep", name="swaro")
    info = StudyInfo.of(
        StudyFolder(folder), space, StudySpec.read(composed.config.study), manifest, resumed=False
    )
    return space, info, composed.config


def test_the_first_trials_are_those_a_sweep_runs(tmp_path):
    space, info, settings = planned(tmp_path)
    foreseen = calibration.first_trials(space, info, settings)
    with Study.open(
        info,
        space,
        sampler=compose.plain(settings.sampler),
        trial_scheduler=compose.plain(settings.trial_scheduler),
        max_epochs=settings.max_epochs,
    ) as study:
        assert [trial.params for trial in foreseen] == [study.next_trial().params for _ in foreseen]


@pytest.mark.parametrize("study", ["simclr", "msr"])  # msr keeps an averaged copy
def test_sizes_are_those_of_the_files_a_trial_writes(tmp_path, study):
    words = [study, "max_epochs=1", "tracker=none", "study.id=once", f"output_dir={tmp_path}"]
    assert main.main(["train", *words]) == 0
    trial = StudyFolder(tmp_path / "studies" / "once").trial(0)
    sizes = calibration.size_of_trial(compose.load(study, ["max_epochs=1"]))
    assert sizes.weights == pytest.approx(trial.best_weights.stat().st_size, rel=0.01)
    assert sizes.checkpoint == pytest.approx(trial.last_checkpoint.stat().st_size, rel=0.03)


def test_a_trial_that_will_be_refused_does_not_end_the_plan(tmp_path):
    space, info, settings = planned(tmp_path, "max_epochs=2", "study.num_trials=2")
    first, second = calibration.first_trials(space, info, settings)
    refused = [*second.overrides, "clusters.num_clusters=100000"]
    object.__setattr__(second, "overrides", tuple(refused))
    measured = calibration.calibrate(settings, info, [first, second])
    assert len(measured.rehearsals) == 2
    assert measured.rehearsals[1] == measured.rehearsals[0]


def test_dearer_settings_are_measured_as_such(tmp_path):
    space, info, settings = planned(
        tmp_path, "max_epochs=2", "study.num_trials=2", "study.points=[{attack.steps: 1}]"
    )
    trials = calibration.first_trials(space, info, settings)
    recipe, cheap = calibration.calibrate(settings, info, trials).rehearsals
    assert cheap.passes < 0.6 * recipe.passes  # 1 step of attack for 7
    assert cheap.evaluation_s == recipe.evaluation_s


def test_compiling_is_measured_and_so_is_a_step_without_it(tmp_path):
    compiled = ["trainer.compile=true", "trainer.compile_backend=aot_eager"]
    space, info, settings = planned(
        tmp_path, "max_epochs=2", "study.num_trials=1", *compiled, "encoder.widths=[3,5]"
    )
    measured = calibration.calibrate(
        settings, info, calibration.first_trials(space, info, settings)
    )
    (recipe,) = measured.rehearsals
    assert recipe.compile_s > recipe.step_s > 0
    assert measured.plain_step_s > 0
