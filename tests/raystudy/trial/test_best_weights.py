"""The weights a trial keeps are those of the epochs that a search through all epochs finds."""

import math

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from raystudy.config.constraint import Constraint
from raystudy.config.spec import Objective, StudySpec
from raystudy.trial import best_weights
from raystudy.trial.best_weights import BestWeights

CLEAN, ROBUST, LOSS = "val/accuracy", "val/robust_accuracy", "val/loss"


def spec(*objectives, constraints=()):
    return StudySpec(name="s", objectives=objectives, constraints=constraints, num_trials=1)


def train(best, curves, *, first=1):
    """Run epochs whose weights are their number."""
    module = nn.Linear(1, 1, bias=False)
    for epoch, metrics in enumerate(curves, first):
        nn.init.constant_(module.weight, epoch)
        best_weights.save(module, best.improved(epoch, metrics))


def kept(folder):
    return {p.name: int(load_file(p)["weight"]) for p in folder.glob("*.safetensors")}


def test_every_objective_has_its_best_epoch(tmp_path):
    rng = np.random.default_rng(0)
    curves = [dict(zip((CLEAN, ROBUST, LOSS), rng.uniform(size=3), strict=True)) for _ in range(9)]
    loss = Objective(metric=LOSS, direction="minimize", worst=9.0)
    train(
        BestWeights(spec(Objective(metric=CLEAN), Objective(metric=ROBUST), loss), tmp_path), curves
    )
    assert kept(tmp_path) == {
        "best.safetensors": 1 + int(np.argmax([m[CLEAN] for m in curves])),
        "best-robust_accuracy.safetensors": 1 + int(np.argmax([m[ROBUST] for m in curves])),
        "best-loss.safetensors": 1 + int(np.argmin([m[LOSS] for m in curves])),
    }


def test_an_epoch_beyond_a_constraint_gives_way_to_one_that_exceeds_it_less(tmp_path):
    bound = Constraint(ROBUST, ">=", 0.5)
    told = [(0.9, 0.1), (0.8, 0.3), (0.7, 0.6), (0.95, 0.4), (0.75, 0.5), (0.72, 0.9)]
    found = []
    for length in range(1, len(told) + 1):
        best = BestWeights(spec(Objective(metric=CLEAN), constraints=(bound,)), tmp_path)
        train(best, [{CLEAN: clean, ROBUST: robust} for clean, robust in told[:length]])
        found.append(best.state[CLEAN]["epoch"])
    assert found == [1, 2, 3, 3, 5, 5]


def test_a_trial_that_goes_on_remembers_its_best(tmp_path):
    one = spec(Objective(metric=CLEAN))
    before, after = BestWeights(one, tmp_path), BestWeights(one, tmp_path)
    train(before, [{CLEAN: 0.5}, {CLEAN: 0.8}])
    after.state = torch.load(_saved(before.state, tmp_path), weights_only=True)
    train(after, [{CLEAN: 0.7}, {CLEAN: math.nan}, {"train/loss": 1.0}], first=3)
    assert kept(tmp_path) == {"best.safetensors": 2}


def _saved(state, folder):
    torch.save(state, folder / "state")
    return folder / "state"
