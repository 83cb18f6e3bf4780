"""SwAV against lightly's loss, its frozen prototypes, and its queue over a resume and two ranks."""

import copy

import pytest
import torch
from method_gradients import gradient_of_a_step

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits

STUDIES = ("swav", "suncet_swav")
QUEUED = ["prototypes.queue_start=0", "prototypes.queue_length=300"]


def trainer_of(study, *overrides):
    settings = compose.load(
        study, ["device=cpu", "max_epochs=3", "encoder.widths=[8,16]", *overrides]
    )
    return build_trainer(settings, load_splits(settings))


def test_the_loss_of_batch_and_queue_equals_lightlys():
    from lightly.loss import SwaVLoss  # 5 s that ranks do without

    trainer = trainer_of("swav", *QUEUED)
    method, seen = trainer.method, []
    method.prototypes.register_forward_hook(lambda _, __, output: seen.append(output))
    for index, batch in enumerate(trainer._batches.epoch(0)):
        loss = method.training_step(batch, trainer._progress(index))["loss"]
        method.after_update(trainer._progress(index))
    assert [queued is None for _, queued in seen] == [True] * 3 + [False] * 5
    scores, queued = seen[-1]
    lightlys = SwaVLoss(temperature=0.1, sinkhorn_epsilon=0.05, sinkhorn_iterations=3)
    expected = lightlys(list(scores), [], list(queued))
    torch.testing.assert_close(loss, expected.squeeze())


@pytest.mark.parametrize("study", STUDIES)
def test_frozen_prototypes_stay_bit_for_bit_under_momentum_and_decay(study):
    trainer = trainer_of(
        study, "prototypes.frozen_epochs=2", "optimizer=sgd", "optimizer.weight_decay=0.1"
    )
    before = trainer.method.prototypes.weight.detach().clone()
    moved = []
    for _ in trainer.epochs():
        moved.append(not torch.equal(trainer.method.prototypes.weight, before))
    assert moved == [False, False, True]
    lengths = trainer.method.prototypes.weight.detach().norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=0, atol=1e-6)


@pytest.mark.parametrize("length", [700, 2000])  # full within the first epoch; within the second
def test_resume_with_a_queue_is_bitwise(length):
    def trainer():
        return trainer_of("swav", "prototypes.queue_start=0", f"prototypes.queue_length={length}")

    straight = trainer()
    expected = [result.metrics["train/loss"] for result in straight.epochs()]
    first = trainer()
    got = [next(first.epochs()).metrics["train/loss"]]
    state = copy.deepcopy(first.state_dict())
    second = trainer()
    second.load_state_dict(state)
    got += [result.metrics["train/loss"] for result in second.epochs()]
    assert got == expected
    assert torch.equal(straight.method.prototypes.queue, second.method.prototypes.queue)


def fourth_step(study):
    method, gradient = gradient_of_a_step(study, [*QUEUED, "prototypes.frozen_epochs=0"], index=3)
    return gradient, method.prototypes.queue


@pytest.mark.parametrize("study", STUDIES)
def test_two_ranks_have_the_gradient_and_the_queue_of_one_process(run_ranks, study):
    expected, queue = fourth_step(study)
    for gradient, ours in run_ranks(fourth_step, study):
        torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(ours, queue, rtol=0, atol=1e-10)
    assert expected.norm() > 0.1


def frozen_on_a_rank():
    trainer = trainer_of("swav", "prototypes.frozen_epochs=1", "optimizer.weight_decay=0.1")
    before = trainer.method.prototypes.weight.detach().clone()
    return [torch.equal(trainer.method.prototypes.weight, before) for _ in trainer.epochs()]


def test_two_ranks_freeze_prototypes_as_well(run_ranks):
    assert run_ranks(frozen_on_a_rank) == [[True, False, False]] * 2
