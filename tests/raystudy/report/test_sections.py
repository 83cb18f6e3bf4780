"""What each section says, against values worked out by hand or by others."""

import json
import math

import numpy as np
import optuna
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from raystudy.report import (
    confirmed,
    cost,
    curves,
    failures,
    history,
    importance,
    origin,
    outcome,
    rungs,
    slices,
)
from raystudy.spec import Objective
from raystudy.study import Outcome

ROBUST, CLEAN = "val/robust_accuracy", "val/accuracy"
TWO = f"study.objectives=[{CLEAN},{ROBUST}]"


def robust(*values):
    return [{ROBUST: value} for value in values]


def by_rate(params):
    """Return a trial whose worth depends on the learning rate alone."""
    return robust(0.5 - 0.2 * math.log10(params["optimizer.lr"] / 1.5) ** 2)


def row_of(table, first):
    (row,) = [row for row in table.rows if row[0] == first]
    return dict(zip(table.header, row, strict=True))


def test_the_best_so_far_is_that_of_the_complete_trials(study_of):
    values = [0.3, 0.5, 0.4, 0.9, 0.6]
    trials = [robust(v) for v in values]
    trials[3] = (robust(0.9), Outcome("failed", "RuntimeError: no"))
    study = study_of(trials)
    found = list(history.best_so_far(study.trials, Objective(metric=ROBUST)))
    assert found == [(0, 0.3), (1, 0.5), (4, 0.6)]


def test_the_best_so_far_of_what_is_minimised_falls(study_of):
    study = study_of([robust(v) for v in (0.5, 0.6, 0.2)])
    objective = Objective(metric=ROBUST, direction="minimize", worst=1.0)
    assert list(history.best_so_far(study.trials, objective)) == [(0, 0.5), (2, 0.2)]


def test_a_trial_beyond_a_constraint_is_never_the_best_so_far(study_of):
    trials = [[{ROBUST: r, CLEAN: c}] for r, c in ((0.3, 0.9), (0.6, 0.2), (0.4, 0.9))]
    study = study_of(trials, f"study.constraints=['{CLEAN} >= 0.5']")
    found = list(history.best_so_far(study.trials, study.spec.objectives[0]))
    assert found == [(0, 0.3), (2, 0.4)]
    assert "1 of 3 complete trials exceed" in outcome.section(study).warning


def test_the_best_trial_stands_beside_the_recipe(study_of):
    study = study_of([[{ROBUST: r, CLEAN: c}] for r, c in ((0.3, 0.9), (0.5, 0.8), (0.4, 0.7))])
    (table,) = outcome.section(study).tables
    assert row_of(table, ROBUST) == {
        "measure": ROBUST,
        "recipe (trial 0)": 0.3,
        "best (trial 1)": 0.5,
        "difference": pytest.approx(0.2),
    }
    assert row_of(table, CLEAN)["difference"] == pytest.approx(-0.1)
    assert outcome.headline(study) == (
        f"Best is trial 1 with {ROBUST} 0.5000; the published recipe (trial 0) has 0.3000 "
        "(+0.2000)."
    )
    assert "One seed" in outcome.section(study).warning


def test_the_front_is_that_of_full_trials_and_nothing_dominates_it(study_of):
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(30, 2)).tolist()
    trials = [[{CLEAN: clean, ROBUST: one}] for clean, one in values]
    trials[7] = ([{CLEAN: 2.0, ROBUST: 2.0}], Outcome("failed", "RuntimeError: no"))
    study = study_of(trials, TWO)
    section = outcome.section(study)
    told = {
        int(row[0].split()[0])
        for row in section.tables[0].rows
        if row[0] != "0 (recipe)" or 0 in {s.number for s in study.best}
    }
    full = [number for number in range(30) if number != 7]
    expected = {
        a
        for a in full
        if not any(
            values[b][0] >= values[a][0] and values[b][1] >= values[a][1] and b != a for b in full
        )
    }
    assert told == expected
    assert list(section.figures) == ["front-val-accuracy-val-robust-accuracy"]


@pytest.mark.parametrize(
    ("directions", "points", "corner"),
    [
        (("maximize", "maximize"), [(0.1, 0.9), (0.5, 0.2)], (0.1, 0.2)),
        (("minimize", "minimize"), [(0.1, 0.9), (0.5, 0.2)], (0.5, 0.9)),
        (("maximize", "minimize"), [(0.1, 0.2), (0.5, 0.9)], (0.1, 0.9)),
        (("minimize", "maximize"), [(0.1, 0.2), (0.5, 0.9)], (0.5, 0.2)),
    ],
)
def test_the_corner_between_two_points_of_the_front_is_dominated_by_both(
    directions, points, corner
):
    first, second = (Objective(metric=ROBUST, direction=d, worst=1.0) for d in directions)
    line = outcome.attained(points, first)
    assert line == [points[0], corner, points[1]]
    for x, y in points:
        assert not first.is_better(corner[0], than=x)
        assert not second.is_better(corner[1], than=y)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30))
def test_tau_is_scipys(pairs):
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    expected = scipy.stats.kendalltau(one, other).statistic
    assert rungs.kendall_tau(one, other) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_the_audit_tells_a_rung_that_ranks_as_the_end_from_one_that_does_not(study_of):
    finals = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    trials = [robust(1 - final, final / 2, final) for final in finals]
    blind, seeing = rungs.audit(study_of(trials).trials, Objective(metric=ROBUST))
    assert (blind.epoch, blind.tau, blind.rank_of_best) == (1, -1.0, 6)
    assert (seeing.epoch, seeing.tau, seeing.rank_of_best) == (2, 1.0, 1)


def test_the_interval_of_tau_is_fishers(study_of):
    finals = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    early = [0.2, 0.1, 0.4, 0.3, 0.6, 0.5, 0.8, 0.7]  # 4 of 28 pairs are in reverse
    trials = [robust(now, final) for now, final in zip(early, finals, strict=True)]
    (found,) = rungs.audit(study_of(trials).trials, Objective(metric=ROBUST))
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
    early = rungs.section(study_of(trials, "min_epochs=1", *overrides))
    assert "epoch 1, 3 cannot see clusters.warmup yet, which acts up to epoch 4" in early.warning
    late = rungs.section(study_of(trials, "min_epochs=5", *overrides, study_id="late"))
    assert late.warning == ""


def as_optuna_sees_it(study):
    storage = JournalStorage(JournalFileBackend(str(study.folder.journal)))
    return optuna.load_study(study_name=study.id, storage=storage)


def test_importance_is_what_optuna_says_of_the_journal(study_of):
    study = study_of([by_rate] * 40)
    trials = importance.full_trials(study)
    told = {one.path: one.share for one in importance.assess(study, trials, 0, "ped_anova")}
    expected = optuna.importance.get_param_importances(
        as_optuna_sees_it(study), evaluator=PedAnovaImportanceEvaluator()
    )
    assert told == pytest.approx(expected)


def test_only_the_axis_that_matters_is_more_important_than_chance(study_of):
    study = study_of([by_rate] * 80)
    found = importance.assess(study, importance.full_trials(study), 0, "ped_anova")
    assert [one.path for one in found if one.above_chance] == ["optimizer.lr"]
    assert found[0].low <= found[0].share <= found[0].high <= 1
    assert sum(one.share for one in found) == pytest.approx(1)


def test_few_trials_make_importance_a_hint(study_of):
    section = importance.section(study_of([by_rate] * 12))
    assert (
        section.warning
        == "Only 12 trials ran to a result, below 50: importance is a hint, no finding."
    )


def test_a_diverged_trial_counts_for_importance_at_the_worst_value(study_of):
    study = study_of([by_rate] * 5 + [robust(math.nan)] + [(robust(0.4), Outcome("failed", "no"))])
    values = [trial.value for trial in importance.full_trials(study)]
    assert values[5] == 0.0
    assert len(values) == 6


def test_failures_are_put_down_to_their_causes(study_of):
    said = {
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB": "out of memory",
        "its process died 3 times, for instance out of memory": "out of memory",
        "its process died 3 times": "lost worker",
        "val/accuracy was never reported; measures there: none": "not measured",
        "OSError: [Errno 28] No space left on device": "disk",
        "RuntimeError: CUDA error: an illegal memory access": "device",
        "ValueError: 3 is not 4": "code",
        "it stopped although nobody asked it to": "other",
    }
    trials = [robust(0.5), *(((), Outcome("failed", reason)) for reason in said)]
    trials += [robust(math.inf), (robust(0.4), Outcome("collapsed", "FGSM 0.8, PGD 0.0"))]
    study = study_of(trials)
    causes = [failures.cause(t) for t in study.trials if t.summary.state != "complete"]
    assert causes == [*said.values(), "not finite", "collapsed"]
    counts = {row[0]: row[1] for row in failures.section(study).tables[0].rows}
    assert counts["out of memory"] == 2


def test_failures_that_share_a_region_of_an_axis_say_so(study_of):
    def diverges_at_high_rates(params):
        return robust(math.nan if params["optimizer.lr"] > 3.5 else 0.5)

    study = study_of([robust(0.5)] + [diverges_at_high_rates] * 60)
    lost = [t.params["optimizer.lr"] for t in study.trials if t.summary.state == "diverged"]
    assert len(lost) >= 4  # or the test shows nothing
    table = failures.section(study).tables[0]
    region = row_of(table, "not finite")["region"]
    assert region.startswith("optimizer.lr ")
    assert region.endswith(f"as {len(lost)} of 61 trials")


def test_failures_all_over_the_space_have_no_region(study_of):
    trials = [robust(math.nan) if number % 3 == 1 else robust(0.5) for number in range(60)]
    assert row_of(failures.section(study_of(trials)).tables[0], "not finite")["region"] == ""


def test_the_last_words_of_a_failed_trial_are_shown(study_of):
    study = study_of([robust(0.5), ((), Outcome("failed", "ValueError: no"))])
    error = study.trial_folder(1).error
    error.parent.mkdir(parents=True)
    error.write_text("Traceback\n" + "  line\n" * 9000 + "ValueError: <b>no</b>\n\n")
    (row,) = failures.section(study).tables[1].rows
    assert row[0] == 1
    assert row[-1] == "line / line / ValueError: <b>no</b>"


def test_costs_add_up(study_of):
    trials = [
        [{ROBUST: 0.1, "cost/flops": 1e9}, {ROBUST: 0.5, "cost/flops": 3e9}],
        ([{ROBUST: 0.1, "cost/flops": 2e9}], Outcome("failed", "RuntimeError: no")),
        ((), Outcome("failed", "RuntimeError: no")),
    ]
    study = study_of(trials)
    (table,) = cost.section(study).tables
    flops = "floating-point operations"
    assert row_of(table, "complete")[flops] == 3e9
    assert row_of(table, "failed")[flops] == 2e9
    assert row_of(table, "all") == {
        "state": "all",
        "trials": 3,
        "seconds": pytest.approx(sum(t.summary.seconds for t in study.trials)),
        flops: 5e9,
    }
    assert row_of(table, "per trial")[flops] == pytest.approx(5e9 / 3)


@given(st.integers(1, 300), st.integers(2, 50))
def test_a_sparse_curve_keeps_its_ends(length, keep):
    curve = [(epoch, float(epoch)) for epoch in range(1, length + 1)]
    found = curves.sparse(curve, keep)
    assert found[0] == curve[0]
    assert found[-1] == curve[-1]
    assert len(found) <= keep + 1
    assert set(found) <= set(curve)


def test_of_very_many_trials_an_even_choice_is_drawn():
    kept, words = slices.thinned(list(range(1000)), 10, 2500)
    assert kept == list(range(0, 1000, 4))
    assert words == " Of 1000 trials every 4th is drawn."
    assert slices.thinned([1, 2], 10, 2500) == ([1, 2], "")


def race(**changed):
    finalist = {
        "trial": 3,
        "label": "trial 3",
        "seeds": [1, 2],
        "values": [0.5, 0.6],
        "mean": 0.55,
        "low": 0.4,
        "high": 0.7,
        "p_value": 0.01,
        "p_holm": 0.02,
        "test": {"test/robust_accuracy": {"mean": 0.52, "low": 0.5, "high": 0.54}},
    }
    recipe = finalist | {"trial": 0, "label": "recipe", "p_value": None, "p_holm": None, "test": {}}
    return {"finalists": [recipe, finalist | changed], "metric": ROBUST, "confidence": 0.9}


def test_a_race_is_told_with_its_intervals_and_p_values(study_of):
    study = study_of([robust(0.5)])
    assert confirmed.section(study) is None
    (study.folder.path / "confirm.json").write_text(json.dumps(race()))
    section = confirmed.section(study)
    assert row_of(section.tables[0], "trial 3") == {
        "finalist": "trial 3",
        "trial": 3,
        "seeds": 2,
        "mean": 0.55,
        "low": 0.4,
        "high": 0.7,
        "p": 0.01,
        "p (Holm)": 0.02,
    }
    assert section.tables[1].rows == [["test/robust_accuracy", 0.52, 0.5, 0.54]]
    assert "90% interval" in section.words
    assert confirmed.headline(study).endswith("trial 3 (0.5500).")


def test_a_race_without_a_winner_says_so(study_of):
    study = study_of([robust(0.5)])
    (study.folder.path / "confirm.json").write_text(json.dumps(race(p_holm=0.3)))
    assert "no finalist differs" in confirmed.headline(study)


@pytest.mark.parametrize("text", ["", '{"finalists": [', "[]", '{"finalists": []}'])
def test_a_torn_or_empty_race_is_no_race(study_of, text):
    study = study_of([robust(0.5)])
    (study.folder.path / "confirm.json").write_text(text)
    assert confirmed.section(study) is None
    assert confirmed.headline(study) == ""


def test_commands_give_the_study_and_its_best_trial_again(study_of):
    study = study_of([robust(0.3), robust(0.5)], "optimizer.lr=1.0")
    found = origin.commands(study)
    assert found["sweep"] == (
        "raystudy sweep swaro study.num_trials=2 tracker=none trial_scheduler=none optimizer.lr=1.0"
    )
    assert found["replay trial 1"] == "raystudy replay mine/1"
    params = study.trials[1].params
    assert (
        f"clusters.probability={params['clusters.probability']!r}" in found["the same, written out"]
    )


def test_passwords_stay_out_of_commands(study_of):
    study = study_of([robust(0.3)], "tracker.uri='https://me:secret@host/x'")
    assert "secret" not in "".join(origin.commands(study).values())
