"""Samplers: what they draw, that resuming changes nothing, what they refuse."""

import itertools
import shutil

import numpy as np
import optuna
import pytest
from hydra.utils import instantiate
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from surrogate_study import as_optuna_sees_it, open_study, recipe, run_study, told
from surrogates import CLEAN, RATE, ROBUST, STRENGTH, Surrogate

from raystudy.errors import UserError
from raystudy.search import samplers
from raystudy.search.samplers import Memoryless
from raystudy.search.search_space import SearchSpace
from raystudy.study.study import Outcome

# Models shall be used well before the twelfth trial.
EAGER = {
    "tpe": {"n_startup_trials": 4},
    "gp": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "cmaes": {"popsize": 4},
}
NAMES = ["tpe", "random", "grid", "qmc", "cmaes", "nsga2", "gp"]
MIXED = SearchSpace(
    distributions={
        STRENGTH: FloatDistribution(0, 1),
        RATE: FloatDistribution(1e-3, 1, log=True),
        "method.num_clusters": IntDistribution(4, 64, log=True),
        "attack": CategoricalDistribution(["pgd_linf", "fgsm_linf"]),
    },
    published={STRENGTH: 0.5, RATE: 0.1, "method.num_clusters": 8, "attack": "pgd_linf"},
)
STEPPED = SearchSpace(
    distributions={
        STRENGTH: FloatDistribution(0, 1, step=0.1),
        RATE: CategoricalDistribution([0.01, 0.1, 1.0]),
    },
    published={STRENGTH: 0.1 * 3, RATE: 0.1},  # an ulp off the step 0.3, as computed values are
)
BOTH = (CLEAN, ROBUST)
NOISY = Surrogate(epochs=3, noise=0.05)


def eager(name):
    return recipe("sampler", name, **EAGER.get(name, {}))


def space_for(name):
    return STEPPED if name == "grid" else MIXED


def params_of(folder):
    return [trial.params for trial in as_optuna_sees_it(folder).trials]


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_study_goes_on_as_if_it_had_not_been(tmp_path, name):
    settings = {"sampler": eager(name), "space": space_for(name), "trial_scheduler": "asha"}
    run_study(tmp_path / "a", NOISY, num_trials=5, **settings)
    resumed = run_study(tmp_path / "a", NOISY, num_trials=12, **settings)
    straight = run_study(tmp_path / "b", NOISY, num_trials=12, **settings)
    assert params_of(tmp_path / "a") == params_of(tmp_path / "b")
    assert told(resumed.summaries()) == told(straight.summaries())


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_is_another_study_with_the_same_trial_0(tmp_path, name):
    settings = {"sampler": eager(name), "space": space_for(name), "num_trials": 6}
    run_study(tmp_path / "a", NOISY, seed=0, **settings)
    run_study(tmp_path / "b", NOISY, seed=1, **settings)
    first, second = params_of(tmp_path / "a"), params_of(tmp_path / "b")
    assert first[0] == second[0] == space_for(name).published
    assert first[1:] != second[1:]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("workers", [1, 4])
def test_no_configuration_is_drawn_twice(tmp_path, name, workers):
    space = SearchSpace(
        distributions={
            STRENGTH: FloatDistribution(0, 1, step=0.5),
            "method.num_clusters": IntDistribution(1, 4),
        },
        published={STRENGTH: 0.5, "method.num_clusters": 2},
    )
    run_study(
        tmp_path / "s", NOISY, workers=workers, sampler=eager(name), space=space, num_trials=20
    )
    drawn = [tuple(params.values()) for params in params_of(tmp_path / "s")]
    grid = itertools.product([0.0, 0.5, 1.0], [1, 2, 3, 4])
    assert sorted(drawn) == sorted(grid)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "cmaes"])
def test_samplers_take_two_objectives(tmp_path, name):
    study = run_study(
        tmp_path / "s",
        NOISY,
        sampler=eager(name),
        space=space_for(name),
        objectives=(CLEAN, ROBUST),
        num_trials=8,
    )
    assert [summary.state for summary in study.summaries()] == ["complete"] * 8


@pytest.mark.parametrize(
    ("name", "objectives"),
    [(name, BOTH[:count]) for name in ("tpe", "nsga2") for count in (1, 2)]
    + [("cmaes", (CLEAN,)), ("gp", (CLEAN,))],
)
def test_optunas_own_sampler_draws_the_same_from_the_same_trials(tmp_path, name, objectives):
    settings = {"sampler": eager(name), "space": MIXED, "objectives": objectives}
    run_study(tmp_path / "s", NOISY, num_trials=9, **settings)
    shutil.copytree(tmp_path / "s", tmp_path / "copy" / "s")
    drawn = open_study(tmp_path / "s", num_trials=10, **settings).next_trial().params
    mixed = int(np.random.SeedSequence([0, 9, 0]).generate_state(1)[0])
    own = {"seed": mixed}
    if name in ("cmaes", "gp"):
        own["independent_sampler"] = optuna.samplers.RandomSampler(seed=mixed)
    with samplers.quiet():
        study = as_optuna_sees_it(tmp_path / "copy" / "s")
        study.sampler = instantiate(eager(name), **own)
        assert study.ask(dict(MIXED.distributions)).params == drawn


def test_axes_are_not_compared_trial_by_trial(tmp_path, monkeypatch):
    compared, equal = [], FloatDistribution.__eq__

    def noted(self, other):
        compared.append(self)
        return equal(self, other)

    with open_study(tmp_path, sampler="tpe", num_trials=40) as study:
        for number in range(38):
            trial = study.next_trial()
            study.report(trial.number, 1, {CLEAN: 0.5, ROBUST: number / 40})
            study.finish(trial.number, Outcome("completed"))
        monkeypatch.setattr(FloatDistribution, "__eq__", noted)
        study.next_trial()
    assert len(compared) < 38


@pytest.mark.parametrize("name", ["tpe", "qmc", "nsga2", "cmaes", "gp"])
def test_samplers_survive_a_failed_trial_0(tmp_path, name):
    study = open_study(tmp_path / "s", sampler=eager(name), space=MIXED)
    drawn = set()
    for _ in range(2):
        trial = study.next_trial()
        study.finish(trial.number, Outcome("failed", "out of memory"))
        drawn.add(tuple(trial.params.values()))
    assert len(drawn) == 2


@pytest.mark.parametrize("name", NAMES)
def test_params_are_plain_python_values(tmp_path, name):
    study = open_study(tmp_path / "s", sampler=eager(name), space=space_for(name))
    for _ in range(4):
        kinds = {type(value) for value in study.next_trial().params.values()}
        assert kinds <= {float, int, str}


def test_tpe_finds_the_robust_corner_better_than_random(tmp_path):
    best = {
        name: run_study(tmp_path / name, sampler=name, num_trials=60).best()[0].last[ROBUST]
        for name in ("tpe", "random")
    }
    assert best["tpe"] > best["random"]


def test_parallel_trials_are_not_the_same_trial(tmp_path):
    study = open_study(tmp_path / "s", sampler=eager("tpe"), num_trials=8)
    assert len({tuple(study.next_trial().params.values()) for _ in range(8)}) == 8


def test_grid_refuses_a_continuous_axis(tmp_path):
    with pytest.raises(UserError, match=f"{STRENGTH} is continuous"):
        open_study(tmp_path / "s", sampler="grid")


def test_grid_refuses_what_it_could_never_finish(tmp_path):
    space = SearchSpace(
        distributions={name: IntDistribution(1, 1000) for name in "abc"},
        published=dict.fromkeys("abc", 1),
    )
    with pytest.raises(UserError, match="1,000,000,000 configurations"):
        open_study(tmp_path / "s", sampler="grid", space=space)


def test_cmaes_refuses_two_objectives_and_a_single_numeric_axis(tmp_path):
    with pytest.raises(UserError, match="one objective"):
        open_study(tmp_path / "s", sampler="cmaes", objectives=(CLEAN, ROBUST))
    line = SearchSpace(distributions={STRENGTH: FloatDistribution(0, 1)}, published={STRENGTH: 0.5})
    with pytest.raises(UserError, match="two numeric axes"):
        open_study(tmp_path / "t", sampler="cmaes", space=line)


def test_a_wrong_setting_of_a_sampler_is_named(tmp_path):
    with pytest.raises(UserError, match="population"):
        open_study(tmp_path / "s", sampler=recipe("sampler", "nsga2", population_sice=3))


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"study\.seed"):
        open_study(tmp_path / "s", seed=-1)


def test_seeds_are_mixed_from_study_seed_and_trial_number():
    def seed(study_seed, number):
        sampler = Memoryless(recipe("sampler", "random"), {}, study_seed).build(number)
        return sampler._rng.rng.randint(2**31)

    assert (
        len({seed(study_seed, number) for study_seed in range(20) for number in range(20)}) == 400
    )


def test_check_accepts_every_sampler_there_is():
    for name in NAMES:
        space = space_for(name)
        samplers.check(Memoryless(recipe("sampler", name), space.distributions, 0), 1)
