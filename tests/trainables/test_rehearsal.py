"""A rehearsal counts what training then counts."""

import math

import pytest

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits
from trainables.rehearsal import Rehearsal, evenly_ordered, rehearse


def settings_of(study, *overrides):
    return compose.load(study, ["tracker=none", "device=cpu", "encoder.widths=[8,16]", *overrides])


@pytest.mark.parametrize(
    ("study", "overrides", "rel"),
    [
        ("simclr", ["max_epochs=2"], 0),
        ("suncet", ["max_epochs=3"], 0),  # which leaves its labelled part out from an epoch on
        # Clusters only after its warm-up, and not in every epoch.
        ("swaro", ["max_epochs=4", "clusters.warmup=0.25", "clusters.every=2"], 0.015),
    ],
)
def test_all_epochs_tried_cost_what_training_costs(study, overrides, rel):
    settings = settings_of(study, *overrides)
    splits = load_splits(settings)
    measured = rehearse(build_trainer(settings, splits), [], splits, enough_s=math.inf)
    trainer = build_trainer(settings, splits)
    for _ in trainer.epochs():
        cost = trainer.cost()
    passes = cost["cost/forward_passes"] + cost["cost/backward_passes"]
    assert settings.max_epochs * measured.passes == pytest.approx(passes, rel=rel or 1e-12)
    assert settings.max_epochs * measured.images == cost["cost/images"]
    assert settings.max_epochs * measured.steps == cost["cost/updates"]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 100, 2000])
def test_every_epoch_comes_once_and_the_first_few_cover_all(count):
    order = list(evenly_ordered(count))
    assert sorted(order) == list(range(count))
    few = sorted(order[:8])
    gaps = [b - a for a, b in zip([-1, *few], [*few, count], strict=True)]
    assert max(gaps) <= max(1, 0.3 * count)


def test_a_trial_lasts_its_epochs_and_its_evaluations():
    measured = Rehearsal(
        preparation_s=1.0, first_s=0.9, step_s=0.5, steps=10, evaluation_s=3.0, passes=0.0
    )
    assert measured.seconds(epochs=4, evaluations=2) == pytest.approx(4 * (1 + 0.9 + 4.5) + 2 * 3)


def test_rehearsing_evaluates_what_a_trial_would():
    settings = settings_of("simclr", "max_epochs=1")
    splits = load_splits(settings)
    seen = []

    def evaluator(_, part):
        seen.append((len(part.train), len(part.val)))
        return {}

    rehearse(build_trainer(settings, splits), [evaluator], splits, enough_s=0)
    assert seen == [(len(splits.train), len(splits.val))]
