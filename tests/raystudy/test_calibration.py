"""What a plan foresees is what then happens."""

import io

import pytest
from rich.console import Console

from raystudy import calibration, cli, config
from raystudy.search_space import SearchSpace
from raystudy.trial import build_evaluators, build_trainer, load_splits
from trainables.rehearsal import Rehearsal, rehearse

SMALL = ["max_epochs=4", "clusters.warmup=0.25", "tracker=none", "device=cpu"]


@pytest.fixture(scope="module")
def planned():
    space, composed = SearchSpace.load("swaro", SMALL)
    return space, composed.config


def test_passes_foreseen_are_passes_made(planned):
    _, settings = planned
    splits = load_splits(settings)
    rehearsal = rehearse(build_trainer(settings, splits), [], splits)
    trainer = build_trainer(settings, splits)
    made = []
    for _ in trainer.epochs():
        cost = trainer.cost()
        made.append(cost["cost/forward_passes"] + cost["cost/backward_passes"])
    # Of an epoch behind the warm-up; the probability of the cluster attack is drawn per batch.
    assert rehearsal.passes == pytest.approx(made[3] - made[2], rel=0.2)
    assert rehearsal.steps == cost["cost/updates"] / 4


def test_a_trial_lasts_its_epochs_and_its_evaluations():
    measured = Rehearsal(preparation_s=1.0, step_s=0.5, steps=10, evaluation_s=3.0, passes=0.0)
    assert measured.seconds(epochs=4, evaluations=2) == 4 * (1 + 5) + 2 * 3


def test_rehearsing_evaluates_what_a_trial_would(planned):
    _, settings = planned
    splits = load_splits(settings)
    seen = []

    def evaluator(_, part):
        seen.append((len(part.train), len(part.val)))
        return {}

    rehearse(build_trainer(settings, splits), [evaluator], splits)
    assert seen == [(len(splits.train), len(splits.val))]
    assert build_evaluators(settings)


def test_all_trials_are_as_many_waves_as_do_not_fit_at_once(planned):
    space, settings = planned
    measured = Rehearsal(preparation_s=0.0, step_s=1.0, steps=10, evaluation_s=0.0, passes=7.0)
    text = io.StringIO()
    calibration.show(
        Console(file=text, width=200),
        calibration.Calibration(rehearsal=measured, checkpoint_bytes=2**20, at_a_time=5),
        settings,
        space,
    )
    told = text.getvalue()
    assert "40 s for 4 epochs" in told  # 10 steps of a second
    assert "2.1 min, 5 at a time" in told  # 8 s, then 3 waves of 12 trials
    assert "336 images" in told  # 12 trials x 4 epochs x 7
    assert "24 MiB" in told  # the last checkpoint and the one before


def test_plan_starts_nothing_and_shows_the_first_trials(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "home"))
    assert cli.main(["plan", "simclr", "max_epochs=2"]) == 0
    out = capsys.readouterr().out
    assert "trial 0" in out
    assert "at a time" in out
    assert not (tmp_path / "home").exists()


def test_the_first_trials_are_those_a_sweep_runs(planned, tmp_path):
    space, settings = planned
    from raystudy.study import Study
    from raystudy.study_folder import StudyFolder
    from raystudy.sweep import study_info

    manifest = {"name": "swaro", "search_path": []}
    info = study_info(StudyFolder(tmp_path), space, settings, manifest, resumed=False)
    foreseen = calibration.first_configurations(space, info, settings)
    with Study.open(
        info,
        space,
        sampler=config.plain(settings.sampler),
        trial_scheduler=config.plain(settings.trial_scheduler),
        max_epochs=4,
    ) as study:
        for words in foreseen:
            params = study.next_trial().params
            for path, value in params.items():
                name = path.rpartition(".")[2]
                assert f"{name}={calibration._word(value)}" in words
