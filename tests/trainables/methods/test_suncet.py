"""Labels beside SimCLR and SwAV: the sum, what is computed, and what is left once they are off."""

import copy

import pytest
import torch
import torch.nn.functional as F
from method_gradients import gradient_of_a_step

from raystudy.config import compose
from raystudy.trial.build import build_evaluators, build_trainer, load_splits
from trainables import random_state
from trainables.progress import Progress

LABELLED = ("suncet", "simclr_ce", "suncet_swav")
FEW = ["device=cpu", "max_epochs=4", "batch_size=256", "encoder.widths=[8,16,16]"]
ON, OFF = 80, 512  # rows of a step: 8 labelled images of ten classes, two views of 256 others


def trainer_of(study, *overrides):
    settings = compose.load(study, [*FEW, *overrides])
    return build_trainer(settings, load_splits(settings))


def first_batch(trainer, epoch=0):
    return next(trainer._batches.epoch(epoch))


def progress(epoch=0):
    return Progress(step=0, epoch=epoch, max_epochs=4, fraction=epoch / 4)


def outputs_of(module):
    """Return a list that every forward pass of the module adds its output to."""
    seen = []
    module.register_forward_hook(lambda _, __, output: seen.append(output))
    return seen


# Ranks load this file, and do without the libraries it compares with: 5 s each.
def nca(embeddings, labels, temperature):
    """SuNCEt as pytorch-metric-learning computes it."""
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import NCALoss

    distance = LpDistance(normalize_embeddings=True, p=2, power=2)
    return NCALoss(softmax_scale=1 / (2 * temperature), distance=distance)(embeddings, labels)


def nt_xent(view1, view2, temperature):
    """Return SimCLR's loss as lightly computes it."""
    from lightly.loss import NTXentLoss

    return NTXentLoss(temperature=temperature)(view1, view2)


def test_suncets_loss_is_the_sum_of_two_libraries_losses():
    trainer = trainer_of("suncet", "method.weight=0.7", "method.temperature=0.3")
    batch, seen = first_batch(trainer), outputs_of(trainer.method.projector)
    losses = trainer.method.training_step(batch, progress())
    (embeddings,) = seen
    view1, view2, labelled = embeddings.split([OFF // 2, OFF // 2, ON])
    contrast = nt_xent(view1, view2, 0.3)
    supervised = nca(labelled, batch.labels, 0.3)
    torch.testing.assert_close(losses["nt_xent"], contrast)
    torch.testing.assert_close(losses["suncet"], supervised)
    torch.testing.assert_close(losses["loss"], contrast + 0.7 * supervised)


def test_simclr_with_cross_entropy_is_the_sum_of_two_libraries_losses():
    trainer = trainer_of("simclr_ce", "method.weight=0.7", "method.temperature=0.3")
    method, batch = trainer.method, first_batch(trainer)
    embedded, logits = outputs_of(method.projector), outputs_of(method.head)
    losses = method.training_step(batch, progress())
    contrast = nt_xent(*embedded[0].chunk(2), 0.3)
    assert len(logits[0]) == ON
    supervised = F.cross_entropy(logits[0], batch.labels)
    torch.testing.assert_close(losses["loss"], contrast + 0.7 * supervised)


def test_swav_with_suncet_is_the_sum_of_both_losses():
    trainer = trainer_of("suncet_swav", "method.weight=0.7")
    batch, seen = first_batch(trainer), outputs_of(trainer.method.projector)
    losses = trainer.method.training_step(batch, progress())
    supervised = nca(seen[0][OFF:], batch.labels, 0.1)
    torch.testing.assert_close(losses["suncet"], supervised)
    torch.testing.assert_close(losses["loss"], losses["swav"] + 0.7 * supervised)


@pytest.mark.parametrize("study", LABELLED)
def test_labelled_images_take_one_view_of_one_forward_pass_and_none_once_they_are_off(study):
    trainer = trainer_of(study, "labels.switch_off=1")
    seen = outputs_of(trainer.method.encoder)
    steps = len(trainer._batches)
    epochs = trainer.epochs()
    next(epochs), next(epochs)
    assert list(map(len, seen)) == [OFF + ON] * steps + [OFF] * steps


def test_operations_saved_are_those_of_the_labelled_rows():
    trainer = trainer_of(
        "suncet", "labels.switch_off=1", "method.embedding_width=1", "encoder.widths=[32,64,128]"
    )
    on, both = (next(trainer.epochs()).metrics for _ in range(2))
    off = both["cost/flops"] - on["cost/flops"]
    # Similarities are counted too, of embeddings of width 1.
    assert on["cost/flops"] / off == pytest.approx((OFF + ON) / OFF, rel=0.01)
    assert both["cost/images"] - on["cost/images"] == len(trainer._batches) * 256


def weights(trainer, parts=("encoder", "projector")):
    return [p for part in parts for p in getattr(trainer.method, part).parameters()]


PLAIN = {"suncet": "simclr", "suncet_swav": "swav"}


@pytest.mark.parametrize("study", PLAIN)
def test_switched_off_from_the_start_it_is_the_plain_method_bit_for_bit(study):
    same = ["method.temperature=0.2"]
    if study == "suncet":
        same.append("method.detach_keys=true")
    ours = trainer_of(study, *same, "labels.switch_off=0")
    losses = [result.metrics["train/loss"] for result in ours.epochs()]
    plain = trainer_of(PLAIN[study], *same)
    assert [result.metrics["train/loss"] for result in plain.epochs()] == losses
    assert plain._cost.metrics() == ours._cost.metrics()
    assert all(torch.equal(a, b) for a, b in zip(weights(ours), weights(plain), strict=True))


@pytest.mark.parametrize("study", ["suncet", "simclr_ce"])
def test_a_switched_off_step_is_simclrs_bit_for_bit(study):
    same = ["method.temperature=0.2", "method.detach_keys=true"]
    ours, simclr = trainer_of(study, *same, "labels.switch_off=1"), trainer_of("simclr", *same)
    for part in ("encoder", "projector"):
        getattr(simclr.method, part).load_state_dict(getattr(ours.method, part).state_dict())
    losses = []
    for trainer in (ours, simclr):
        random_state.seed_everything(5)
        losses.append(trainer.method.training_step(first_batch(trainer, 1), progress(1))["loss"])
        losses[-1].backward()
    assert torch.equal(*losses)
    for a, b in zip(weights(ours), weights(simclr), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_the_classifier_rests_once_labels_are_off():
    trainer = trainer_of("simclr_ce", "labels.switch_off=1", "optimizer.weight_decay=0.1")
    states = []
    for _ in trainer.epochs():
        states.append([p.detach().clone() for p in trainer.method.head.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(states[0], states[-1], strict=True))


@pytest.mark.parametrize("study", LABELLED)
def test_resume_across_the_switch_off_is_bitwise(study):
    def trainer():
        return trainer_of(study, "labels.switch_off=2", "max_epochs=3")

    straight = trainer()
    expected = [result.metrics for result in straight.epochs()]
    first = trainer()
    got = [next(first.epochs()).metrics]
    state = copy.deepcopy(first.state_dict())
    second = trainer()
    second.load_state_dict(state)
    got += [result.metrics for result in second.epochs()]
    assert got == expected
    pairs = zip(straight.method.parameters(), second.method.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("study", LABELLED)
def test_refuses_a_negative_weight(study):
    with pytest.raises(Exception, match=r"method\.weight must be at least 0, got -1"):
        trainer_of(study, "method.weight=-1")


def first_gradient(study, switch_off):
    pinned = ["prototypes.frozen_epochs=0"] if study == "suncet_swav" else []
    return gradient_of_a_step(study, [*pinned, f"labels.switch_off={switch_off}"])[1]


@pytest.mark.parametrize("switch_off", [0, 1])
@pytest.mark.parametrize("study", LABELLED)
def test_two_ranks_have_the_gradient_of_one_process(run_ranks, study, switch_off):
    expected = first_gradient(study, switch_off)
    for gradient in run_ranks(first_gradient, study, switch_off):
        torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-10)
    assert expected.norm() > 0.1


def trained_across_the_switch_off(study):
    trainer = trainer_of(study, "labels.switch_off=1", "max_epochs=2")
    losses = [result.metrics["train/loss"] for result in trainer.epochs()]
    return losses, list(trainer.method.parameters())


@pytest.mark.parametrize("study", LABELLED)
def test_two_ranks_stay_alike_across_the_switch_off(run_ranks, study):
    (ours, first), (theirs, second) = run_ranks(trained_across_the_switch_off, study)
    assert ours == theirs
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def accuracy_of(study, seed, *overrides):
    settings = compose.load(study, ["device=cpu", f"seed={seed}", *overrides])
    splits = load_splits(settings)
    trainer = build_trainer(settings, splits)
    list(trainer.epochs())
    (evaluate,) = build_evaluators(settings).values()
    return evaluate(trainer.method, splits)["val/accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("study", PLAIN)
def test_labels_help(study):
    plain = [accuracy_of(study, seed, "labels.switch_off=0") for seed in range(3)]
    helped = [accuracy_of(study, seed) for seed in range(3)]
    assert sum(helped) / 3 > sum(plain) / 3 + 0.01


def suncets_code(z, labels, *, temperature, unlabelled):
    """The released code's two losses: NT-Xent's keys are detached, SuNCEt's are not."""
    z = F.normalize(z)
    pair, others = z[:unlabelled], z[unlabelled:]
    shares = []
    for anchors, keys in ((pair, pair.detach()), (others, others)):
        alike = torch.exp(anchors @ keys.T / temperature) * (1 - torch.eye(len(anchors)))
        shares.append(alike / alike.sum(dim=1, keepdim=True))
    positive = torch.arange(unlabelled).roll(unlabelled // 2)
    ntxent = -shares[0][torch.arange(unlabelled), positive].log().mean()
    return ntxent - (shares[1] * (labels[:, None] == labels)).sum(dim=1).log().mean()


def projector_gradient(method, loss):
    method.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in method.projector.parameters()])


def test_the_recipes_gradient_is_that_of_the_released_code():
    trainer = trainer_of("suncet")
    assert trainer.method.detach_keys
    batch, seen = first_batch(trainer), outputs_of(trainer.method.projector)
    random_state.seed_everything(0)
    ours = projector_gradient(
        trainer.method, trainer.method.training_step(batch, progress())["loss"]
    )
    random_state.seed_everything(0)
    trainer.method.training_step(batch, progress())
    theirs = suncets_code(seen[1], batch.labels, temperature=0.2, unlabelled=OFF)
    torch.testing.assert_close(
        ours, projector_gradient(trainer.method, theirs), rtol=1e-3, atol=1e-6
    )
