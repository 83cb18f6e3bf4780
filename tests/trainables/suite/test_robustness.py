"""Robustness curves: verdicts in growing balls, ensembles of which parts are done, precision."""

import math
from dataclasses import replace

import pytest
import torch
from toy_classifiers import toy_images

from trainables.attacks.auto_attack import AutoAttack
from trainables.attacks.balls import LinfBall
from trainables.attacks.epsilons import in_growing_balls
from trainables.attacks.white_box import WhiteBoxPGD
from trainables.suite.robustness import RobustnessCurve

PGD = WhiteBoxPGD(ball=LinfBall(epsilon=0.06), relative_step=0.25, steps=8)


def test_withstanding_is_being_right_about_the_adversarial_copies_of_every_smaller_ball():
    model, images = toy_images(60)
    attack = RobustnessCurve(adversary=PGD, epsilons=[0.0, 0.03, 0.06])
    verdicts = torch.cat(list(attack.robust_images(model, images, batch_size=60, seed=4)), dim=1)
    torch.manual_seed(4)
    pixels = images.pixels(slice(None))
    copies = list(in_growing_balls(PGD, [0.0, 0.03, 0.06], model, pixels, images.labels))
    right = [(model(x).argmax(dim=1) == images.labels) for x in copies]
    assert torch.equal(verdicts[0], right[0])
    assert torch.equal(verdicts[2], right[0] & right[1] & right[2])
    assert 0 < verdicts[2].sum() < verdicts[0].sum()


def test_a_rest_of_the_batches_is_as_in_the_whole():
    model, images = toy_images(70)
    attack = RobustnessCurve(adversary=PGD)
    whole = list(attack.robust_images(model, images, batch_size=20, seed=0))
    rest = list(attack.robust_images(model, images, batch_size=20, seed=0, done=2))
    assert [part.shape for part in whole] == [(1, 20), (1, 20), (1, 20), (1, 10)]
    assert all(torch.equal(one, other) for one, other in zip(whole[2:], rest, strict=True))


ENSEMBLE = AutoAttack(ball=LinfBall(epsilon=0.06), steps=10, targets=2, queries=50)


def test_an_ensemble_attacks_what_those_of_its_attacks_have_left_that_were_run_alone():
    model, images = toy_images(100)
    asked = []
    model.register_forward_pre_hook(lambda _, given: asked.append(len(given[0])))
    how = {"classifier": model, "images": images, "batch_size": 40, "seed": 0}
    whole = RobustnessCurve(adversary=ENSEMBLE, epsilons=[0.03, 0.06])
    alone = replace(whole, adversary=ENSEMBLE.attacks["apgd_ce"])
    left, names = whole.after({"pgd": RobustnessCurve(adversary=PGD), "alone": alone})
    assert names == ["alone"]
    assert list(left.adversary.attacks) == ["apgd_t", "fab_t", "square"]
    standing = torch.cat(list(alone.robust_images(**how)), dim=1)
    asked.clear()
    verdicts = torch.cat(list(left.robust_images(**how, standing=standing)), dim=1)
    rows_after, _ = sum(asked), asked.clear()
    expected = torch.cat(list(whole.robust_images(**how)), dim=1)
    assert not (verdicts & ~standing).any()
    assert (verdicts != expected).float().mean() <= 0.02  # other draws
    assert 0 < verdicts[1].sum() < verdicts[0].sum()
    assert rows_after < sum(asked)


@pytest.mark.parametrize("change", [{"epsilons": [0.06]}, {"adversary": replace(PGD, steps=9)}])
def test_an_ensemble_takes_nothing_over_from_another_ball_or_another_attack(change):
    whole = RobustnessCurve(adversary=ENSEMBLE, epsilons=[0.03, 0.06])
    other = replace(whole, adversary=ENSEMBLE.attacks["apgd_ce"])
    assert whole.after({"other": replace(other, **change)}) == (whole, [])


def test_low_precision_never_leaves_more_than_both_precisions_would():
    model, images = toy_images(100)
    plain, low = (
        torch.cat(
            list(
                RobustnessCurve(adversary=PGD, precision=precision).robust_images(
                    model, images, batch_size=100, seed=0
                )
            ),
            dim=1,
        )
        for precision in ("float32", "bfloat16")
    )
    assert (low & ~plain).sum() <= 2  # other starts
    assert low.sum() <= plain.sum() + 1


@pytest.mark.parametrize(
    "epsilons", [[], [0.2, 0.1], [0.1, 0.1], [-0.1], [math.nan], [math.inf], 0.1, ["a"]]
)
def test_radii_that_make_no_sense_are_refused_before_anything_is_measured(epsilons):
    with pytest.raises(ValueError, match="epsilons of an attack must be a list of numbers"):
        RobustnessCurve(adversary=PGD, epsilons=epsilons)
