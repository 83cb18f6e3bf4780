"""Rounds of a race as executors see them, cut off anywhere and gone on with."""

import json
from dataclasses import asdict

import numpy as np
from memory_tracker import MemoryTracker

from raystudy.config.budget import Budget
from raystudy.config.spec import Objective, StudySpec
from raystudy.confirm.race import Race
from raystudy.confirm.race_sampler import point_of
from raystudy.confirm.race_study import NO_BUDGET, RaceStudy
from raystudy.search.listed_space import ListedSpace
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.study.info import StudyInfo
from raystudy.study.inline import InlineExecutor, Report, VirtualClock
from raystudy.study.study import Study
from trainables.trainer import TrainingDivergedError

RACE = Race(recipe=0, challengers=(3, 7, 5), seeds=(1, 2, 3, 4))
OBJECTIVE = Objective(metric="val/accuracy")
MEANS = {0: 0.5, 3: 0.51, 7: 0.9, 5: 0.1}
EPOCHS = 3


def curves(trial):
    """Report two epochs of nothing and one of what the finalist is worth on this seed."""
    number, seed = point_of(trial.params)
    assert trial.overrides == (f"lr={number}", f"seed={seed}")
    value = MEANS[number] + 0.01 * np.random.default_rng([number, seed]).normal()
    for epoch in range(1, EPOCHS + 1):
        yield Report(epoch, {OBJECTIVE.metric: value if epoch == EPOCHS else 0.0}, 10.0 + number)


def race(
    folder,
    *,
    run=curves,
    max_events=None,
    workers=2,
    clock=None,
    budget=NO_BUDGET,
    most=None,
    of=RACE,
):
    """Run a race as one driver does; return it, what it said and what its tracker heard."""
    folder.mkdir(exist_ok=True)
    space = ListedSpace.of(of.recipe, {number: [f"lr={number}"] for number in MEANS}, of.seeds)
    resumed = (folder / "journal.log").exists()
    runs = (1 + len(of.challengers)) * len(of.seeds)
    spec = StudySpec(name="x", objectives=(OBJECTIVE,), num_trials=runs)
    manifest = Manifest(kind="confirm", name="x", data="none")
    info = StudyInfo.of(StudyFolder(folder), space, spec, manifest, resumed=resumed)
    sampler = {"_target_": "raystudy.confirm.race_sampler.RaceSampler", **asdict(of)}
    sampler["objectives"] = [asdict(OBJECTIVE)]
    heard, said, clock = MemoryTracker(), [], clock or VirtualClock()
    study = Study.open(
        info,
        space,
        sampler=sampler,
        trial_scheduler={"_target_": "optuna.pruners.NopPruner"},
        trackers=[heard],
        clock=clock,
    )
    begun = {trial.number: point_of(trial.params) for trial in study._ledger.trials()}
    racing = RaceStudy(study, of, begun, say=said.append, budget=budget, most=most)
    with study:
        InlineExecutor(run, workers=workers, clock=clock, max_events=max_events).run(racing)
        if racing.is_finished:
            racing.settle()
    return racing, said, heard


def values(racing):
    return {point: summary.last[OBJECTIVE.metric] for point, summary in racing.runs.items()}


def test_all_run_to_the_end_on_common_seeds_until_they_leave(tmp_path):
    racing, said, heard = race(tmp_path / "s")
    assert racing.is_finished
    assert racing.over == "the intervals have separated"
    assert {summary.epoch for summary in racing.runs.values()} == {EPOCHS}
    left = racing.standing.departures
    assert left.keys() == {3, 5}
    for number in MEANS:
        seeds = [seed for who, seed in sorted(racing.runs) if who == number]
        rounds = left[number].round if number in left else racing.standing.round
        assert seeds == list(range(1, rounds + 1))
    assert heard.named("study_finished") == [("complete",)]
    assert racing.info.spec.num_trials == len(racing.runs)
    assert any("trial 5 leaves: significantly worse than trial 7" in words for words in said)


def test_workers_and_order_change_no_run(tmp_path):
    one, _, _ = race(tmp_path / "one", workers=1)
    many, _, _ = race(tmp_path / "many", workers=5)
    assert values(one) == values(many)


def test_cut_off_again_and_again_it_is_the_race_that_was_not(tmp_path):
    whole, _, _ = race(tmp_path / "whole")
    # Two runs begun anew, their three epochs and an end are 9 events: less would never get on.
    for events in range(9, 16):
        folder = tmp_path / f"every{events}"
        drivers, ends = 0, []
        while True:
            racing, _, heard = race(folder, max_events=events)
            drivers += 1
            ends += [summary.number for (summary,) in heard.named("trial_finished")]
            if racing.is_finished:
                break
        assert drivers > 3
        assert values(racing) == values(whole)
        assert racing.standing == whole.standing
        assert sorted(ends) == list(range(len(whole.runs)))  # each ended once


def test_a_finished_race_hands_nothing_out_again(tmp_path):
    race(tmp_path / "s")
    again, said, heard = race(tmp_path / "s")
    assert again.is_finished
    assert again.next_trial() is None
    assert (said, heard.named("trial_started")) == ([], [])


def test_no_round_begins_once_the_hours_are_spent_downtime_not_counted(tmp_path):
    clock = VirtualClock()

    def alike(trial):
        number, seed = point_of(trial.params)
        value = 0.5 + 0.1 * np.random.default_rng([number, seed]).normal()
        yield Report(1, {OBJECTIVE.metric: value}, 600.0)

    # The first two rounds are 8 runs of 10 minutes, two at a time.
    unhurried, _, _ = race(tmp_path / "all", run=alike, budget=Budget(wall_hours=2.0))
    assert unhurried.standing.round == 4
    first, _, _ = race(
        tmp_path / "s", run=alike, budget=Budget(wall_hours=0.6), max_events=6, clock=clock
    )
    assert not first.is_finished
    clock.now += 1e6
    second, _, _ = race(tmp_path / "s", run=alike, budget=Budget(wall_hours=0.6), clock=clock)
    assert second.is_finished
    assert second.standing.round == 2
    assert second.over.startswith("study.budget.wall_hours=0.6 is spent")
    third, _, _ = race(tmp_path / "t", run=alike, budget=Budget(wall_hours=0.75))
    assert third.standing.round == 3


def test_a_finalist_that_diverges_leaves_and_the_recipe_that_does_is_worth_the_worst(tmp_path):
    def diverging(trial):
        if point_of(trial.params) in {(7, 2), (0, 3)}:
            raise TrainingDivergedError("loss became nan")
        yield from curves(trial)

    racing, _, _ = race(tmp_path / "s", run=diverging)
    assert racing.standing.departures[7].reason == "diverged on seed 2"
    assert racing.standing.racing[0] == 0
    assert (7, 3) not in racing.runs
    assert racing.runs[0, 3].state == "diverged"


def test_a_race_in_which_all_fails_ends(tmp_path):
    def failing(_trial):
        raise RuntimeError("no such file")
        yield

    racing, _, _ = race(tmp_path / "s", run=failing)
    assert racing.is_finished
    assert "all failed" in racing.over
    assert len(racing.runs) <= 5


def test_the_journal_is_optunas_and_tells_finalist_and_seed(tmp_path):
    racing, _, _ = race(tmp_path / "s")
    lines = [json.loads(line) for line in (tmp_path / "s/journal.log").read_text().splitlines()]
    named = [line["param_name"] for line in lines if "param_name" in line]
    assert named.count("finalist") == named.count("seed") == len(racing.runs)


def alike(trial):
    number, seed = point_of(trial.params)
    value = 0.5 + 0.1 * np.random.default_rng([number, seed]).normal()
    yield Report(1, {OBJECTIVE.metric: value, "cost/forward_passes": 100.0}, 60.0)


def test_passes_are_counted_over_all_drivers(tmp_path):
    budget = Budget(passes=1000)  # two rounds are 8 runs of 100
    drivers = 0
    while True:
        racing, _, _ = race(tmp_path / "s", run=alike, budget=budget, max_events=8)
        drivers += 1
        if racing.is_finished:
            break
    assert drivers > 1
    assert (racing.standing.round, len(racing.runs)) == (3, 12)
    assert "study.budget.passes=1000 is spent (1200 passes)" in racing.over


def test_no_round_begins_that_the_number_of_runs_has_no_room_for(tmp_path):
    racing, _, _ = race(tmp_path / "s", run=alike, most=11)
    assert (racing.standing.round, len(racing.runs)) == (2, 8)
    assert racing.over == "study.num_trials=11 leaves no room for another round"


def test_the_recipe_alone_runs_on_all_seeds(tmp_path):
    alone = Race(recipe=0, challengers=(), seeds=(1, 2, 3, 4))
    racing, _, _ = race(tmp_path / "s", run=alike, of=alone)
    assert sorted(racing.runs) == [(0, seed) for seed in alone.seeds]
    assert racing.over == "all 4 seeds were run"
