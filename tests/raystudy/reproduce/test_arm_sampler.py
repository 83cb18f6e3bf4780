"""Runs come arm by arm under one seed, then under the next."""

import optuna

from raystudy.reproduce.arm_sampler import ArmSampler
from raystudy.search.listed_space import ARM, SEED, ArmSpace
from raystudy.storage.plans import Arm

ARMS = {name: Arm(study="swaro", overrides=(f"max_epochs={len(name)}",)) for name in ("a", "bb")}


def drawn(arms, seeds, runs):
    """Draw as the ledger does: what the sampler proposes is what the next trial gets."""
    study = optuna.create_study()
    sampler = ArmSampler(arms=list(arms), seeds=seeds)
    points = []
    for _ in range(runs):
        points.append(sampler.sample_relative(study, None, {}))
        study.enqueue_trial(points[-1])
        trial = study.ask()
        for name, axis in ArmSpace.of(arms, seeds).distributions.items():
            trial.suggest_categorical(name, axis.choices)
    return [(point[ARM], point[SEED]) for point in points]


def test_every_arm_runs_under_a_seed_before_the_next_seed():
    assert drawn(ARMS, (0, 1), 4) == [("a", 0), ("bb", 0), ("a", 1), ("bb", 1)]


def test_a_single_run_is_drawn_even_after_it_was_given():
    assert drawn({"a": ARMS["a"]}, (0,), 2) == [("a", 0), ("a", 0)]


def test_an_arm_knows_its_study_and_its_whole_trial():
    params = {ARM: "bb", SEED: 3}
    space = ArmSpace.of(ARMS, (0, 3))
    assert space.as_overrides(params) == ["max_epochs=2", "seed=3"]
    assert space.name_of(params) == "swaro"
