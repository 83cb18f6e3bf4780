"""Surrogates do what they say, and the virtual clock counts."""

import math
from pathlib import Path

import pytest
from surrogate_study import open_study
from surrogates import (
    BEST_RATE,
    CLEAN,
    RATE,
    ROBUST,
    SPACE,
    STRENGTH,
    Behaviour,
    Surrogate,
    end_values,
    study_info,
)

from raystudy.study.inline import InlineExecutor, Report, VirtualClock
from raystudy.study.study import Study
from raystudy.trial.info import TrialInfo


def trial(strength=0.5, rate=BEST_RATE, number=0):
    return TrialInfo(
        number=number,
        params={STRENGTH: strength, RATE: rate},
        overrides=(),
        folder=Path(),
        command="",
    )


def reports(kind, epoch=3):
    return list(Surrogate(behaviour=lambda _: Behaviour(kind, epoch))(trial()))


def test_the_front_is_at_the_best_rate():
    strengths = [step / 10 for step in range(11)]
    front = [end_values(strength, BEST_RATE) for strength in strengths]
    assert front == sorted(front, reverse=True)  # clean falls ...
    assert [robust for _, robust in front] == sorted(robust for _, robust in front)  # robust rises
    for strength in strengths:
        for rate in (0.001, 0.05, 0.2, 1.0):
            worse, best = end_values(strength, rate), end_values(strength, BEST_RATE)
            assert worse[0] < best[0]
            assert worse[1] < best[1]


def test_curves_rise_to_a_known_value():
    last = reports("healthy")[-1].metrics
    clean, robust = end_values(0.5, BEST_RATE)
    learnt = 1 - math.exp(-2)
    assert (last[CLEAN], last[ROBUST]) == pytest.approx((clean * learnt, robust * learnt))


def test_behaviours_begin_at_their_epoch():
    assert [math.isnan(r.metrics[ROBUST]) for r in reports("nan")][:4] == [False, False, True, True]
    collapsed = reports("collapse")
    assert [r.metrics[ROBUST] == 0 for r in collapsed][:4] == [False, False, True, True]
    assert collapsed[-1].metrics[CLEAN] > 0.5
    assert all(ROBUST not in r.metrics for r in reports("missing"))
    with pytest.raises(RuntimeError, match="epoch 3"):
        reports("crash")


def test_noise_has_the_given_deviation_and_repeats_with_its_seed():
    noisy = Surrogate(noise=0.05, epochs=1)
    quiet = next(Surrogate(epochs=1)(trial())).metrics[ROBUST]
    off = [next(noisy(trial(number=n))).metrics[ROBUST] - quiet for n in range(2000)]
    deviation = math.sqrt(sum(x * x for x in off) / len(off))
    assert deviation == pytest.approx(0.05, rel=0.1)  # 6 standard errors of 2000 draws
    assert list(noisy(trial(number=3))) == list(noisy(trial(number=3)))


def test_virtual_seconds_reach_the_summaries(tmp_path):
    clock = VirtualClock()
    study = Study.open(
        study_info(tmp_path, num_trials=4),
        SPACE,
        sampler={"_target_": "optuna.samplers.RandomSampler"},
        trial_scheduler={"_target_": "optuna.pruners.NopPruner"},
        clock=clock,
    )
    InlineExecutor(Surrogate(seconds=10.0, epochs=4), workers=2, clock=clock).run(study)
    assert study.summaries()[0].seconds == pytest.approx(4 * 10 * 1.5)  # strength 0.5
    total = sum(summary.seconds for summary in study.summaries())
    assert total / 2 <= clock.now < total


def test_workers_run_side_by_side(tmp_path):
    running, most = set(), []

    def curves(info):
        running.add(info.number)
        most.append(len(running))
        yield Report(1, {ROBUST: 0.5})
        running.discard(info.number)

    InlineExecutor(curves, workers=3).run(open_study(tmp_path / "s", num_trials=9))
    assert max(most) == 3
