"""Budgets: what is counted, when it ends a study, that resuming loses and repeats nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surrogate_study import as_optuna_sees_it, open_study, run_study, told
from surrogates import ROBUST, Behaviour, Surrogate

from raystudy.config.budget import Budget, Spent
from raystudy.errors import UserError
from raystudy.study.inline import Report, VirtualClock
from raystudy.study.study import Outcome


def costly(_, epochs=4, seconds=900.0):
    """Yield epochs that cost 10 images, 30 passes there, 20 back and 1,000 FLOPs each."""
    for epoch in range(1, epochs + 1):
        costs = {"images": 10, "forward_passes": 30, "backward_passes": 20, "flops": 1000}
        metrics = {f"cost/{name}": float(value * epoch) for name, value in costs.items()}
        yield Report(epoch, {ROBUST: 0.3, **metrics}, seconds)


def spend(folder, *, num_trials=12, max_events=None, workers=1, curves=costly, **limits):
    return run_study(
        folder,
        curves,
        num_trials=num_trials,
        max_events=max_events,
        workers=workers,
        spec={"budget": Budget(**limits)},
    )


def test_a_budget_is_read_and_told():
    budget = Budget.read({"flops": 2e15, "images": None, "wall_hours": 12})
    assert budget.limits == {"flops": 2e15, "wall_hours": 12}
    assert budget.words == "2e+15 FLOPs, 12 hours"
    assert Budget.read(None).words == ""


@pytest.mark.parametrize("value", [0, -1, "much", True, float("nan")])
def test_a_limit_that_is_no_amount_is_refused(value):
    with pytest.raises(UserError, match=r"study\.budget\.images must be above 0 or null"):
        Budget.read({"images": value})


def test_an_unknown_limit_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"study\.budget has passes, images, .*; got 'gpu_hours'"):
        Budget.read({"gpu_hours": 3})


@pytest.mark.parametrize(
    ("limit", "value", "trials"),
    [
        ("images", 100, 3),  # 40 each: 80 is below, 120 is not
        ("images", 80, 2),
        ("images", 1, 1),
        ("passes", 401, 3),  # 200 each
        ("flops", 15_999, 4),
        ("accelerator_hours", 2.5, 3),  # an hour each
        ("wall_hours", 2.0, 2),
    ],
)
def test_no_trial_is_begun_once_a_limit_is_reached(tmp_path, limit, value, trials):
    study = spend(tmp_path / "s", **{limit: value})
    assert [one.state for one in study.summaries()] == ["complete"] * trials
    assert study.is_finished
    assert study.state == "complete"
    assert study.ended_early.startswith(f"study.budget.{limit}={value:g} is spent (")
    assert f"after {trials} of 12 trials" in study.ended_early
    kept = as_optuna_sees_it(tmp_path / "s").user_attrs["ended_early"]
    assert kept.partition(" (")[0] == study.ended_early.partition(" (")[0]


def test_running_trials_go_on_to_their_end(tmp_path):
    study = spend(tmp_path / "s", workers=3, images=50)
    # All three are under way when the budget is reached, in their second epoch.
    assert [one.epoch for one in study.summaries()] == [4, 4, 4]
    assert study.spent.images == 120


def test_all_costs_are_added_up(tmp_path):
    study = spend(tmp_path / "s", num_trials=3)
    expected = Spent(
        passes=600,
        images=120,
        flops=12_000,
        accelerator_hours=3.0,
        wall_hours=study.spent.wall_hours,
    )
    assert study.spent == expected
    assert study.spent.wall_hours == 3.0


def test_trials_side_by_side_take_accelerators_but_no_more_time(tmp_path):
    study = spend(tmp_path / "s", num_trials=4, workers=2)
    assert (study.spent.accelerator_hours, study.spent.wall_hours) == (4.0, 2.0)


def test_a_trial_of_several_accelerators_costs_their_hours(tmp_path):
    clock = VirtualClock()
    study = open_study(tmp_path / "s", clock=clock)
    study.accelerators = 4
    number = study.next_trial().number
    for epoch in (1, 2):
        clock.now += 1800
        study.report(number, epoch, {ROBUST: 0.1})
    assert study.spent.accelerator_hours == 4.0
    study.finish(number, Outcome("completed"))
    assert study.spent.accelerator_hours == 4.0


def test_trials_that_end_badly_cost_as_well(tmp_path):
    behaviour = Behaviour("crash", 3)
    surrogate = Surrogate(behaviour=lambda trial: behaviour if trial.number else Behaviour())
    study = run_study(tmp_path / "s", surrogate, num_trials=2)
    whole, crashed = study.summaries()
    assert crashed.state == "failed"
    hours = (whole.seconds + crashed.seconds) / 3600
    assert study.spent.accelerator_hours == pytest.approx(hours)


def test_time_without_a_driver_does_not_count(tmp_path):
    first = spend(tmp_path / "s", max_events=3)  # a trial begun, two epochs of it
    assert first.spent.wall_hours == 0.5
    again = spend(tmp_path / "s", wall_hours=2.0)  # these curves begin anew, which costs again
    assert [one.state for one in again.summaries()] == ["complete"] * 2
    assert again.spent.wall_hours == 0.5 + 1.0 + 1.0


@settings(max_examples=30, deadline=None)
@given(
    stops=st.lists(st.integers(1, 25), max_size=3),
    limit=st.sampled_from([{"images": 170}, {"passes": 650}, {"flops": 7000}]),
)
def test_a_budget_holds_however_often_the_driver_is_replaced(tmp_path_factory, stops, limit):
    folder = tmp_path_factory.mktemp("studies") / "s"
    straight = spend(tmp_path_factory.mktemp("studies") / "s", **limit)
    for max_events in [*stops, None]:
        study = spend(folder, max_events=max_events, **limit)
    assert told(study.summaries()) == told(straight.summaries())
    assert study.spent.passes == straight.spent.passes
    assert study.spent.flops == straight.spent.flops
    assert study.ended_early.split(" after ")[0] == straight.ended_early.split(" after ")[0]


@settings(max_examples=20, deadline=None)
@given(
    stops=st.lists(st.integers(1, 25), max_size=3),
    limit=st.sampled_from(["accelerator_hours", "wall_hours"]),
)
def test_hours_are_exceeded_by_less_than_a_trial(tmp_path_factory, stops, limit):
    folder = tmp_path_factory.mktemp("studies") / "s"
    for max_events in [*stops, None]:
        study = spend(folder, max_events=max_events, **{limit: 3.2})
    # Curves begin anew after an interruption: at most a trial more for each.
    assert 3.2 <= getattr(study.spent, limit) < 4.2 + len(stops)


def test_a_raised_budget_goes_on(tmp_path):
    spend(tmp_path / "s", images=80)
    longer = spend(tmp_path / "s", images=160, num_trials=4)
    assert as_optuna_sees_it(tmp_path / "s").user_attrs["ended_early"] == ""
    straight = spend(tmp_path / "straight", images=160, num_trials=4)
    assert len(longer.summaries()) == 4
    assert told(longer.summaries()) == told(straight.summaries())
