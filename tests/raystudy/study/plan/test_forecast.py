"""What a study will come to, against what can be counted by hand."""

import json
import math

import pytest

from raystudy.cli import main
from raystudy.config.spec import StudySpec
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.study.info import StudyInfo
from raystudy.study.plan import forecast
from raystudy.study.plan.calibration import Calibration, Sizes
from trainables.rehearsal import Rehearsal

SIZES = Sizes(checkpoint=10 << 20, weights=4 << 20)


def cost(seconds=10.0, passes=7.0):
    """Return what trials cost in which an epoch lasts so many seconds."""
    return Rehearsal(
        preparation_s=seconds,
        first_s=0.0,
        step_s=0.0,
        steps=10,
        evaluation_s=0.0,
        passes=passes,
        images=5.0,
        flops=3.0,
    )


def foresee(*overrides, costs=None, at_a_time=1, slowness=1.0):
    words = ["tracker=none", "max_epochs=10", "min_epochs=1", *overrides]
    space, composed = SearchSpace.load("swaro", words)
    manifest = Manifest(kind="sweep", name="swaro")
    folder = StudyFolder(forecast.Path("nowhere"))
    info = StudyInfo.of(
        folder, space, StudySpec.read(composed.config.study), manifest, resumed=False
    )
    measured = Calibration(
        rehearsals=costs or [cost()], sizes=SIZES, at_a_time=at_a_time, slowness=slowness
    )
    return forecast.foresee(space, info, composed.config, measured)


def test_without_a_scheduler_all_trials_run_to_their_end():
    told = foresee("study.num_trials=12", "trial_scheduler=none", at_a_time=5)
    assert told.trials == told.complete == forecast.Span(mean=12, low=12, high=12)
    assert told.passes.mean == pytest.approx(12 * 10 * 7)
    assert told.images.mean == pytest.approx(12 * 10 * 5)
    assert told.flops.mean == pytest.approx(12 * 10 * 3)
    waves = 3
    assert told.seconds.mean == pytest.approx(forecast.STARTUP_S + waves * (100 + forecast.TRIAL_S))
    assert told.accelerator_hours.mean * 3600 == pytest.approx(12 * (100 + forecast.TRIAL_S))
    assert told.ends_by == ""
    of_each = SIZES.checkpoint + SIZES.weights + forecast.TRIAL_BYTES + 10 * forecast.EPOCH_BYTES
    assert told.disk.mean == 12 * of_each


def test_a_checkpoint_inside_an_epoch_takes_room_in_each_trial_that_runs():
    words = ["study.num_trials=12", "trial_scheduler=none"]
    without, beside = (
        foresee(*words, f"checkpoint_batches={often}", at_a_time=5).disk.mean
        for often in ("null", "100")
    )
    assert beside - without == 5 * SIZES.checkpoint


def test_a_busy_machine_also_starts_more_slowly():
    words = ["study.num_trials=1", "trial_scheduler=none"]
    idle, busy = (foresee(*words, slowness=times).seconds.mean for times in (1.0, 3.0))
    assert busy - idle == pytest.approx(2 * (forecast.STARTUP_S + forecast.TRIAL_S))


def test_mlflow_on_this_disk_keeps_the_weights_once_more():
    words = ["study.num_trials=2", "trial_scheduler=none"]
    local = foresee(*words, "tracker=mlflow", "tracker.uri=null")
    remote = foresee(*words, "tracker=mlflow", "tracker.uri=http://127.0.0.1:1")
    assert local.disk.mean - remote.disk.mean > 2 * SIZES.weights


def test_evaluations_are_counted_and_the_last_epoch_is_always_evaluated():
    once = Rehearsal(
        preparation_s=0.0, first_s=0.0, step_s=0.0, steps=1, evaluation_s=1.0, passes=0.0
    )
    told = foresee("study.num_trials=1", "evaluate_every=4", "trial_scheduler=none", costs=(once,))
    evaluations = 3  # at epochs 4, 8 and 10
    assert told.seconds.mean == pytest.approx(forecast.STARTUP_S + forecast.TRIAL_S + evaluations)


@pytest.mark.parametrize(
    ("budget", "trials"),
    [
        ("study.budget.passes=250", 4),  # a trial takes 70: begun at 0, 70, 140, 210
        ("study.budget.images=101", 3),
        ("study.budget.flops=30", 1),
        (f"study.budget.wall_hours={250 / 3600}", 3),  # at 8, 108 and 209 s
        (f"study.budget.accelerator_hours={250 / 3600}", 3),
    ],
)
def test_a_budget_ends_a_study_where_it_will(budget, trials):
    told = foresee("study.num_trials=12", "trial_scheduler=none", budget)
    assert told.trials.mean == trials
    assert told.ends_by == budget.partition("=")[0].rpartition(".")[2]


def test_of_several_budgets_the_one_that_ends_it_is_told():
    words = ["study.num_trials=12", "trial_scheduler=none", "study.budget.passes=250"]
    assert foresee(*words, "study.budget.flops=1e9").ends_by == "passes"
    assert foresee(*words, "study.budget.flops=60").ends_by == "flops"


def test_successive_halving_ends_most_trials_early(monkeypatch):
    monkeypatch.setattr(forecast, "ENOUGH_S", math.inf)  # as often as on a machine that is idle
    told = foresee("study.num_trials=40", "trial_scheduler=asha")
    assert told.trials.mean == 40
    # Of random orders a third goes on at each of the rungs 1, 3 and 9, and a few more: those
    # that came when there were few to compare with.
    assert 40 / 27 < told.complete.mean < 40 / 4
    assert told.complete.low < told.complete.high
    assert told.passes.mean < 40 * 10 * 7 / 2


def test_a_trial_costs_what_it_was_measured_to_cost():
    words = ["study.num_trials=3", "trial_scheduler=none"]
    told = foresee(*words, costs=(cost(passes=1), cost(passes=2), cost(passes=5)))
    assert told.passes.mean == 10 * (1 + 2 + 5)
    told = foresee(*words, costs=(cost(passes=1), cost(passes=2)))
    assert told.passes.mean == 10 * (1 + 2 + 2)  # of trials that were not measured as another


def test_where_a_cluster_decides_trials_come_one_after_another():
    words = ["study.num_trials=3", "trial_scheduler=none"]
    assert foresee(*words, at_a_time=None).seconds == foresee(*words, at_a_time=1).seconds


def test_a_grid_ends_where_nothing_is_left():
    told = foresee(
        "study.num_trials=12",
        "trial_scheduler=none",
        "sampler=grid",
        *(f"{path}=1" for path in ("clusters.num_clusters", "clusters.every", "attack.steps")),
        *("clusters.probability=0.5", "clusters.warmup=0.2", "optimizer.lr=1"),
        "attack.step_size=choice(0.0125,0.02)",
    )
    assert told.trials.mean == 2


def test_a_long_training_is_looked_at_in_time():
    told = foresee("max_epochs=5000", "evaluate_every=1", "study.num_trials=30", "min_epochs=600")
    assert told.trials.mean == 30
    assert told.complete.mean < 30


def test_plan_starts_nothing_and_tells_all_as_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "home"))
    words = ["simclr", "max_epochs=2", "study.num_trials=4", "study.budget.passes=1e4"]
    words += ["scaling.max_concurrent=1"]
    assert main.main(["plan", *words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["num_trials"] == 4
    assert told["forecast"]["ends_by"] == "passes"
    assert told["forecast"]["trials"]["mean"] < 4
    assert told["first_trials"][0] == told["recipe"]
    assert math.isfinite(told["forecast"]["seconds"]["high"])
    assert main.main(["sweep", *words, "--dry-run"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "the budget of 1e+04 passes ends it after about" in out
    assert "of 4 trials" in out
    assert not (tmp_path / "home").exists()
