"""The rung audit: agreement of ranks, and what a rung cannot see."""

import math
from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from raystudy.config.spec import Objective
from raystudy.report import control, rung_audit
from raystudy.search import rungs

ROBUST = "val/robust_accuracy"


def robust(*values):
    return [{ROBUST: value} for value in values]


def test_the_audit_tells_a_rung_that_ranks_as_the_end_from_one_that_does_not(study_of):
    finals = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    trials = [robust(1 - final, final / 2, final) for final in finals]
    blind, seeing = rung_audit.audit(study_of(trials).trials, Objective(metric=ROBUST))
    assert (blind.epoch, blind.tau, blind.rank_of_best) == (1, pytest.approx(-1), 6)
    assert (seeing.epoch, seeing.tau, seeing.rank_of_best) == (2, pytest.approx(1), 1)


def test_the_interval_of_tau_is_fishers(study_of):
    finals = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    early = [0.2, 0.1, 0.4, 0.3, 0.6, 0.5, 0.8, 0.7]  # 4 of 28 pairs are in reverse
    trials = [robust(now, final) for now, final in zip(early, finals, strict=True)]
    (found,) = rung_audit.audit(study_of(trials).trials, Objective(metric=ROBUST))
    assert found.tau == pytest.approx(20 / 28)
    reach = 1.959964 * math.sqrt(0.437 / 4)
    assert (found.low, found.high) == pytest.approx(
        (math.tanh(math.atanh(20 / 28) - reach), math.tanh(math.atanh(20 / 28) + reach))
    )


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ({"min_resource": 1, "reduction_factor": 3}, [1, 3, 9, 27]),
        ({"min_resource": 5, "reduction_factor": 2, "min_early_stopping_rate": 1}, [10, 20]),
        ({"min_resource": 30, "reduction_factor": 3}, []),
        ({"n_warmup_steps": 3}, []),
    ],
)
def test_rungs_are_those_of_successive_halving_below_the_last_epoch(scheduler, expected):
    settings = OmegaConf.create({"max_epochs": 30, "trial_scheduler": scheduler})
    assert rungs.of_scheduler(settings) == expected


def test_a_rung_before_configurations_can_differ_is_called_blind(study_of):
    trials = [robust(*(final * e for e in range(1, 11))) for final in (0.01, 0.02, 0.03, 0.04)]
    overrides = ["clusters.warmup=0.4", "trial_scheduler=asha"]
    early = rung_audit.section(study_of(trials, "min_epochs=1", *overrides))
    assert "epoch 1, 3 cannot see clusters.warmup yet, which acts up to epoch 4" in early.warning
    late = rung_audit.section(study_of(trials, "min_epochs=5", *overrides, study_id="late"))
    assert late.warning == ""


def test_what_came_of_the_control_is_told_by_its_ranks(study_of):
    finals = [0.5, 0.6, 0.9, 0.1, 0.2, 0.3]
    study = study_of([[{ROBUST: 0.1}, {ROBUST: value}] for value in finals])
    marked = [replace(t, let_through=2 * (t.summary.number in (0, 3, 4))) for t in study.trials]
    facts = control.facts(marked, study.spec.objectives)
    assert facts == {
        "control": "2 trials let through, 0 stopped",
        f"ranks in {ROBUST}": "5, 6 of 6 complete",
    }
    assert control.facts(study.trials, study.spec.objectives) == {}
