"""Learning from an earlier study: what fits, what is refused, what the sampler sees."""

import json

import pytest
from memory_tracker import MemoryTracker
from surrogate_study import as_optuna_sees_it, recipe

from raystudy.config.spec import StudySpec
from raystudy.errors import UserError
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study import warm_start
from raystudy.study.info import StudyInfo
from raystudy.study.inline import InlineExecutor, Report
from raystudy.study.prior import Prior
from raystudy.study.stored import StoredStudy
from raystudy.study.study import Study

CLEAN, ROBUST = "val/accuracy", "val/robust_accuracy"
LR, STEP = "optimizer.lr", "attack.step_size"
# Two axes only: the others are pinned.
PINNED = [
    "clusters.num_clusters=25",
    "clusters.probability=0.5",
    "clusters.warmup=0.2",
    "clusters.every=1",
    "attack.steps=3",
    "tracker=none",
]
EPOCHS = 2


def curves(trial):
    """Yield two epochs, the better the nearer to a learning rate of 2; far ones diverge."""
    lr = trial.params.get(LR, 1.0)
    for epoch in range(1, EPOCHS + 1):
        value = float("nan") if lr > 4.5 else (1 - abs(lr - 2) / 5) * epoch / EPOCHS
        yield Report(epoch, {ROBUST: value, CLEAN: 1 - value / 2})


def settings_of(overrides, search_path=()):
    space, composed = SearchSpace.load("swaro", [*PINNED, *overrides], search_path)
    return space, composed.config


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    return tmp_path


def run(home, study_id, overrides, *, sampler="random", trials=8, max_events=None, trackers=()):
    """Run a study of SwARo's space on made-up curves, and return it closed."""
    overrides = [f"study.num_trials={trials}", *overrides]
    space, settings = settings_of(overrides)
    folder = home / "studies" / study_id
    manifest = Manifest(kind="sweep", name="swaro", overrides=(*PINNED, *overrides))
    if not folder.exists():
        create_study_folder(home, "swaro", study_id).write_manifest(manifest)
    about = StoredStudy.open(home, study_id).folder
    info = StudyInfo.of(about, space, StudySpec.read(settings.study), manifest, resumed=False)
    study = Study.open(
        info,
        space,
        sampler=sampler if isinstance(sampler, dict) else recipe("sampler", sampler),
        trial_scheduler=recipe("trial_scheduler", "none"),
        trackers=trackers,
        max_epochs=EPOCHS,
    )
    with study:
        InlineExecutor(curves, max_events=max_events).run(study)
    return study


@pytest.fixture
def first(home):
    """A study of eight trials."""
    return run(home, "first", [])


def gathered(overrides, study="first"):
    space, settings = settings_of([*overrides, f"study.warm_start={study}"])
    return warm_start.gather(space, settings, StudySpec.read(settings.study))


def params_of(home, study):
    return [trial.params for trial in as_optuna_sees_it(home / "studies" / study).trials]


def test_all_trials_fit_the_same_space(home, first):
    prior = gathered([])
    assert [trial.params for trial in prior.trials] == params_of(home, "first")
    by_number = {one.number: one for one in first.summaries()}
    assert [trial.state for trial in prior.trials] == [one.state for one in first.summaries()]
    for trial in prior.trials:
        if trial.state == "complete":
            assert trial.metrics == {ROBUST: by_number[trial.number].last[ROBUST]}
    best = first.best()[0].number
    assert list(prior.finalists) == [params_of(home, "first")[best]]
    assert prior.note == ""


@pytest.mark.usefixtures("first")
def test_trials_outside_a_narrower_range_are_left_out(home):
    prior = gathered([f"{LR}=interval(1.0,3.0)"])
    inside = [params for params in params_of(home, "first") if 1 <= params[LR] <= 3]
    assert 0 < len(inside) < 8
    assert [trial.params for trial in prior.trials] == inside
    assert prior.note == f"{8 - len(inside)} do not fit or did not complete"


def test_an_axis_that_is_pinned_now_keeps_the_trials_that_ran_there(home, first):
    best = first.best()[0].number
    params = params_of(home, "first")[best]
    prior = gathered([f"{LR}={params[LR]!r}"])
    assert [trial.number for trial in prior.trials] == [best]
    assert prior.trials[0].params == {STEP: params[STEP]}


@pytest.mark.usefixtures("first")
def test_an_axis_that_is_new_takes_the_value_it_had():
    prior = gathered(["clusters.every=choice(1,2)"])
    assert [trial.params["clusters.every"] for trial in prior.trials] == [1] * 8
    with pytest.raises(UserError, match="none of the 8 trials of first is complete and fits"):
        gathered(["clusters.every=choice(2,5)"])


@pytest.mark.usefixtures("first")
def test_a_group_that_is_new_takes_the_option_it_had():
    prior = gathered(["encoder=choice(small_conv_8,resnet18)"])
    assert {trial.params["encoder"] for trial in prior.trials} == {"small_conv_8"}


@pytest.mark.usefixtures("first")
def test_under_other_settings_only_the_best_configuration_is_taken_over():
    prior = gathered(["max_epochs=20"])
    assert prior.trials == []
    assert len(prior.finalists) == 1
    assert prior.words == (
        "of first the best one runs again after trial 0; "
        "no values are taken over, for max_epochs changed"
    )


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data=cifar10"], "first has the data digits, this study cifar10"),
        (["data.splits.split_seed=5"], "first has data.splits.split_seed 0, this study 5"),
        ([f"study.objectives=[{CLEAN}]"], f"first is to maximize {ROBUST}, this study"),
        ([f"study.objectives=[{ROBUST},{CLEAN}]"], "their values do not compare"),
    ],
)
@pytest.mark.usefixtures("first")
def test_unlike_data_and_objectives_are_refused(overrides, words):
    with pytest.raises(UserError, match=r"study\.warm_start: ") as error:
        gathered(overrides)
    assert words in str(error.value)


@pytest.mark.usefixtures("first")
def test_a_study_that_is_not_there_and_one_of_another_method_are_refused():
    with pytest.raises(UserError, match="no study 'nothing'"):
        gathered([], study="nothing")
    space, composed = SearchSpace.load("rocl", ["study.warm_start=first"])
    with pytest.raises(UserError, match="first studies swaro, this study rocl"):
        warm_start.gather(space, composed.config, StudySpec.read(composed.config.study))


@pytest.mark.usefixtures("first")
def test_what_was_taken_over_is_neither_counted_nor_reported(home):
    tracker = MemoryTracker()
    second = run(home, "second", ["study.warm_start=first"], trials=4, trackers=[tracker])
    assert [one.number for one in second.summaries()] == [0, 1, 2, 3]
    assert [trial.number for (trial,) in tracker.named("trial_started")] == [0, 1, 2, 3]
    stored = StoredStudy.open(home, "second")
    assert (len(stored.trials), stored.prior) == (4, second.prior)
    assert StoredStudy.open(home, "first").prior is None
    kept = Prior.read(as_optuna_sees_it(home / "studies" / "second").user_attrs)
    assert kept == second.prior
    assert (kept.study, len(kept.trials)) == ("first", 8)
    assert second.prior.words == (
        "8 trials of first are learnt from; its best one runs again after trial 0"
    )
    assert Prior.read(as_optuna_sees_it(home / "studies" / "first").user_attrs) is None


def test_the_best_runs_after_trial_0_and_the_points(home, first):
    point = f"study.points=[{{{LR}:2.5}}]"
    run(home, "second", ["study.warm_start=first", point], trials=4)
    best = params_of(home, "first")[first.best()[0].number]
    ran = params_of(home, "second")
    assert ran[0] == params_of(home, "first")[0]
    assert ran[1] == {**ran[0], LR: 2.5}
    if best != ran[0]:
        assert ran[2] == best
    assert not [params for params in ran[3:] if params in params_of(home, "first")]


@pytest.mark.parametrize(
    "sampler",
    [
        recipe("sampler", "tpe", n_startup_trials=6),
        recipe("sampler", "gp", n_startup_trials=6),
        recipe("sampler", "nsga2", population_size=4),
    ],
    ids=["tpe", "gp", "nsga2"],
)
@pytest.mark.usefixtures("first")
def test_a_sampler_knows_the_earlier_trials_at_once_and_after_a_resume(home, sampler):
    overrides = ["study.warm_start=first"]
    run(home, "with", overrides, sampler=sampler, trials=4)
    run(home, "without", [], sampler=sampler, trials=4)
    assert params_of(home, "with")[2:] != params_of(home, "without")[2:]
    run(home, "torn", overrides, sampler=sampler, trials=4, max_events=8)
    (home / "studies" / "first" / "journal.log").unlink()  # it is not asked again
    run(home, "torn", overrides, sampler=sampler, trials=4)
    assert params_of(home, "torn") == params_of(home, "with")


def test_cmaes_begins_from_the_best_tenth(home):
    first = run(home, "first", [], trials=20)
    cmaes = recipe("sampler", "cmaes")
    drawn = {}
    for study, overrides in {"with": ["study.warm_start=first"], "without": []}.items():
        run(home, study, overrides, sampler=cmaes, trials=9)
        drawn[study] = [abs(params[LR] - 2) for params in params_of(home, study)[3:]]
    assert first.best()[0].last[ROBUST] > 0.9
    assert sum(drawn["with"]) < sum(drawn["without"])


def test_the_best_of_two_objectives_are_spread_over_the_front(home):
    both = [f"study.objectives=[{CLEAN},{ROBUST}]"]
    first = run(home, "first", both, trials=12)
    prior = gathered(both)
    front = {one.number: one for one in first.best()}
    assert len(prior.finalists) == min(3, len(front)) > 1
    configurations = params_of(home, "first")
    taken = [number for number in front if configurations[number] in list(prior.finalists)]
    assert max(front, key=lambda number: front[number].last[CLEAN]) in taken
    assert max(front, key=lambda number: front[number].last[ROBUST]) in taken


def test_constraints_are_judged_anew(home, first):
    bound = 0.8
    prior = gathered([f'study.constraints=["{ROBUST} <= {bound}"]'])
    values = [one.last[ROBUST] for one in first.summaries() if one.state == "complete"]
    best = params_of(home, "first").index(prior.finalists[0])
    assert first.summaries()[best].last[ROBUST] == max(v for v in values if v <= bound)


def race(*entries):
    """Return a race's result: trial, mean on validation images, difference, p, why it left."""
    return {
        "finalists": [
            {
                "trial": trial,
                "objectives": {ROBUST: {"mean": mean}},
                "left": left and {"round": 2, "reason": left},
                "test": {"test/robust_accuracy": {"difference": difference, "p_holm": p}},
            }
            for trial, mean, difference, p, left in entries
        ]
    }


def test_what_won_a_race_runs_before_what_was_merely_lucky(home, first):
    told = {one.number: one for one in first.summaries() if one.state == "complete"}
    lucky, *others = sorted(told, key=lambda number: -told[number].last[ROBUST])
    better, ahead = others[:2]
    entries = [
        (lucky, 0.9, 0.2, 0.001, "significantly worse than trial 9"),
        (ahead, 0.7, 0.1, 0.3, None),
        (better, 0.6, 0.1, 0.01, None),
    ]
    (home / "studies" / "first" / "confirm.json").write_text(json.dumps(race(*entries)))
    params = params_of(home, "first")
    assert list(gathered([]).finalists) == [params[better], params[ahead]]
    (home / "studies" / "first" / "confirm.json").write_text('{"finalists": [')
    assert list(gathered([]).finalists) == [params[lucky]]
