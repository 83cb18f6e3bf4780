"""Configurations given by hand, and that none is run twice unless asked for."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from surrogate_study import as_optuna_sees_it, open_study, recipe, run_study, told
from surrogates import RATE, SPACE, STRENGTH

from raystudy.errors import UserError
from raystudy.search import points
from raystudy.search.search_space import SearchSpace

AXES = {
    STRENGTH: FloatDistribution(0, 1),
    RATE: FloatDistribution(1e-3, 1, log=True),
    "clusters": IntDistribution(4, 64),
    "attack": CategoricalDistribution(["pgd_linf", "fgsm_linf"]),
}
PUBLISHED = {STRENGTH: 0.5, RATE: 0.1, "clusters": 8, "attack": "pgd_linf"}


def with_points(*given):
    return SearchSpace(
        distributions=SPACE.distributions,
        published=SPACE.published,
        points=points.read(list(given), SPACE.distributions, SPACE.published),
    )


def strengths(folder):
    return [trial.params[STRENGTH] for trial in as_optuna_sees_it(folder).trials]


def test_what_a_point_leaves_out_is_as_in_trial_0():
    (point,) = points.read([{"clusters": 16, "attack": "fgsm_linf"}], AXES, PUBLISHED)
    assert point == {STRENGTH: 0.5, RATE: 0.1, "clusters": 16, "attack": "fgsm_linf"}


def test_values_are_as_the_axis_would_draw_them():
    (point,) = points.read([{STRENGTH: 1, "clusters": 16.0}], AXES, PUBLISHED)
    assert (type(point[STRENGTH]), type(point["clusters"])) == (float, int)


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"attack.strenght": 0.3}, "'attack.strenght' is not searched; did you mean"),
        ({"zzz": 0.3}, "'zzz' is not searched; the axes are: "),
        ({STRENGTH: 1.5}, "attack.strength=1.5 is not among 0 to 1"),
        ({STRENGTH: "strong"}, "attack.strength=strong is not among 0 to 1"),
        ({"clusters": 8.5}, "clusters=8.5 is not among 4 to 64"),
        ({"attack": "pgd_l2"}, "attack=pgd_l2 is not among pgd_linf, fgsm_linf"),
        ({RATE: None}, "optimizer.lr=null is not among"),
    ],
)
def test_a_wrong_point_is_told_what_is_wrong(point, words):
    with pytest.raises(UserError) as error:
        points.read([point], AXES, PUBLISHED)
    assert words in str(error.value)


@pytest.mark.parametrize("given", [{STRENGTH: 0.3}, ["lr"], "all"])
def test_points_are_a_list_of_configurations(given):
    with pytest.raises(UserError, match="must be a list of configurations"):
        points.read(given, AXES, PUBLISHED)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "cmaes", "qmc", "random", "gp"])
def test_points_run_after_trial_0_in_the_order_given(tmp_path, sampler):
    space = with_points({STRENGTH: 0.75}, {STRENGTH: 0.25})
    run_study(tmp_path / "s", sampler=sampler, space=space, num_trials=5)
    assert strengths(tmp_path / "s")[:3] == [0.5, 0.75, 0.25]
    assert len(set(strengths(tmp_path / "s"))) == 5


def test_a_point_that_equals_another_or_trial_0_runs_once(tmp_path):
    space = with_points({STRENGTH: 0.75}, {STRENGTH: 0.5}, {STRENGTH: 0.75}, {STRENGTH: 0.25})
    run_study(tmp_path / "s", space=space, num_trials=4)
    assert strengths(tmp_path / "s")[:3] == [0.5, 0.75, 0.25]


def test_repeats_that_are_asked_for_run(tmp_path):
    space = with_points({STRENGTH: 0.5}, {STRENGTH: 0.75}, {STRENGTH: 0.75})
    run_study(tmp_path / "s", space=space, num_trials=4, spec={"allow_repeats": True})
    assert strengths(tmp_path / "s") == [0.5, 0.5, 0.75, 0.75]


def test_a_small_space_is_drawn_from_again_if_repeats_are_allowed(tmp_path):
    axis = CategoricalDistribution([0.25, 0.5, 1.0])
    space = SearchSpace(distributions={STRENGTH: axis}, published={STRENGTH: 0.5})
    study = run_study(tmp_path / "s", space=space, num_trials=9, spec={"allow_repeats": True})
    assert len(study.summaries()) == 9
    assert study.ended_early == ""


def test_a_grid_refuses_repeats(tmp_path):
    axis = CategoricalDistribution([0.25, 0.5, 1.0])
    space = SearchSpace(distributions={STRENGTH: axis}, published={STRENGTH: 0.5})
    with pytest.raises(UserError, match="sampler=grid runs every configuration once"):
        open_study(tmp_path / "s", space=space, sampler="grid", spec={"allow_repeats": True})


def test_points_survive_an_interruption_anywhere(tmp_path):
    settings = {
        "space": with_points({STRENGTH: 0.75}, {STRENGTH: 0.25}, {RATE: 0.5}),
        "sampler": recipe("sampler", "tpe", n_startup_trials=3),
        "num_trials": 6,
    }
    straight = run_study(tmp_path / "straight", **settings)
    for max_events in range(1, 14, 2):
        folder = tmp_path / str(max_events)
        run_study(folder, max_events=max_events, **settings)
        assert told(run_study(folder, **settings).summaries()) == told(straight.summaries())


def test_points_survive_a_torn_journal(tmp_path):
    settings = {"space": with_points({STRENGTH: 0.75}, {STRENGTH: 0.25}), "num_trials": 4}
    straight = run_study(tmp_path / "straight", **settings)
    content = (tmp_path / "straight" / "journal.log").read_bytes()
    for part in range(0, len(content), len(content) // 23):
        torn = tmp_path / str(part)
        torn.mkdir()
        (torn / "journal.log").write_bytes(content[:part])
        assert told(run_study(torn, **settings).summaries()) == told(straight.summaries())


def test_points_are_read_from_the_command_line():
    space, _ = SearchSpace.load(
        "swaro", ["study.points=[{optimizer.lr:1.75,clusters.every:2},{optimizer.lr:2}]"]
    )
    assert [(p["optimizer.lr"], p["clusters.every"]) for p in space.points] == [(1.75, 2), (2.0, 1)]
    with pytest.raises(UserError, match=r"'optimizer\.lr' is not searched"):
        SearchSpace.load("swaro", ["optimizer.lr=1", "study.points=[{optimizer.lr:0.75}]"])
