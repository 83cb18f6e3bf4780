"""What the robust studies say in common: schedules as published, and two ranks train as one."""

import itertools

import pytest
import torch
from hydra.utils import instantiate

from raystudy.config import compose
from raystudy.trial.build import load_splits
from trainables import distributed
from trainables.networks import sync_batch_norm
from trainables.progress import Progress
from trainables.random_state import seed_everything

STUDIES = ["cross_entropy", "at", "fast_at", "fast_at_linf", "free_at", "trades", "acl"]


@pytest.mark.parametrize(
    ("study", "max_epochs", "batch_size", "curve"),
    [
        ("cross_entropy", 150, 256, {0: 0.1, 50: 0.01, 100: 0.001}),
        ("fast_at", 150, 256, {0: 0.1, 49.9: 0.1, 50: 0.01, 99.9: 0.01, 100: 0.001}),
        ("fast_at_linf", 15, 128, {0: 0.0, 7.5: 0.2, 15: 0.0}),
        ("at", 40, 128, {0: 0.0, 10: 0.1, 20: 0.2, 40: 0.0}),
        ("free_at", 11, 128, {0: 0.0, 5.5: 0.04, 11: 0.0}),
        ("trades", 76, 128, {0: 0.1, 73.9: 0.1, 74: 0.01, 75.9: 0.01}),
        ("acl", 1000, 512, {0: 0.0, 5: 2.5, 10: 5.0, 505: 2.5000005, 1000: 1e-6}),
    ],
)
def test_the_learning_rate_goes_as_published(study, max_epochs, batch_size, curve):
    settings = compose.load(study, ["data=cifar10"])
    assert (settings.max_epochs, settings.batch_size) == (max_epochs, batch_size)
    schedule = instantiate(settings.lr_schedule)
    for epoch, rate in curve.items():
        assert settings.optimizer.lr * schedule(epoch, max_epochs) == pytest.approx(rate, abs=1e-9)


@pytest.mark.parametrize(
    ("study", "millions"),
    # ResNet-18 and -50 without the authors' classifier, and ours; ACL with two batch norms.
    [("fast_at_linf", 11.174), ("fast_at", 23.521), ("acl", 11.169 + 0.786 + 0.0096 + 0.0061)],
)
def test_there_are_as_many_parameters_as_published(study, millions):
    method = instantiate(compose.load(study, ["data=cifar10"]).method, _convert_="all")
    count = sum(parameter.numel() for parameter in method.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=6e-4)


def three_updates(study):
    """Return the losses of three updates in float64 and the state after them."""
    settings = compose.load(study, ["device=cpu", "batch_size=24", "encoder.widths=[4,8]"])
    splits = load_splits(settings)
    seed_everything(3)
    method = instantiate(settings.method, _convert_="all")
    if distributed.world_size() > 1:
        method = sync_batch_norm.convert(method)
    method = method.double().train()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9)
    batches, losses = instantiate(settings.batches)(splits.train), []
    for step, batch in enumerate(itertools.islice(batches.epoch(0), 3)):
        progress = Progress(step=step, epoch=0, max_epochs=1, fraction=step / 3)
        loss = method.training_step(batch, progress)["loss"]
        optimizer.zero_grad()
        loss.backward()
        for parameter in method.parameters():
            parameter.grad = distributed.mean_over_ranks(parameter.grad)
        optimizer.step()
        method.after_update(progress)
        losses.append(distributed.mean_over_ranks(loss).item())
    state = method.state_dict()
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    return losses, tensors, state.get("_extra_state", {}).get("delta", torch.empty(0))


@pytest.mark.parametrize("study", STUDIES)
def test_two_ranks_attack_and_train_as_one_does(study, run_ranks):
    losses, state, delta = three_updates(study)
    for other_losses, other_state, other_delta in run_ranks(three_updates, study):
        # Images and perturbations are float32, the networks float64.
        assert other_losses == pytest.approx(losses, abs=1e-6)
        torch.testing.assert_close(other_state, state, rtol=0, atol=1e-6)
        torch.testing.assert_close(other_delta, delta, rtol=0, atol=1e-6)
