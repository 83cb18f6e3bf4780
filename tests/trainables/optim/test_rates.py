"""Learning rates and momenta as the authors' loops set them, update by update."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CyclicLR

from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet
from trainables.methods.base import Method
from trainables.networks.small_conv import SmallConv
from trainables.optim.rates import rates, refuse_momentum_too_small, set_rates
from trainables.optim.schedules import (
    COUNTS,
    Constant,
    Triangular,
    WarmupCosine,
    WarmupOntoCosine,
)
from trainables.progress import Progress
from trainables.random_state import seed_everything
from trainables.trainer import Trainer, TrainerOptions

STEPS, EPOCHS = 4, 3  # in an epoch; in training
TOTAL = STEPS * EPOCHS


def at(step, steps=STEPS, epochs=EPOCHS):
    total = steps * epochs
    return Progress(
        step=step,
        epoch=step // steps,
        max_epochs=epochs,
        fraction=step / total,
        update=1 / total,
    )


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def ready(optimizer):
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    return optimizer


def descend(model, optimizer, step):
    generator = torch.Generator().manual_seed(step)
    optimizer.zero_grad()
    (model(torch.randn(6, 5, generator=generator, dtype=torch.float64)) ** 2).mean().backward()
    optimizer.step()


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.2, momentum=0.9, weight_decay=5e-4)


def adam(parameters):
    return torch.optim.AdamW(parameters, lr=0.2, betas=(0.9, 0.99))


def two_groups(parameters):
    first, *others = list(parameters)
    return torch.optim.SGD([{"params": [first]}, {"params": others}], lr=0.2, momentum=0.9)


@pytest.mark.parametrize("make", [sgd, adam, two_groups])
def test_the_triangle_of_rate_and_momentum_is_torchs_cyclic_schedule(make):
    ours, theirs = net(), net()
    optimizer, official = ready(make(ours.parameters())), make(theirs.parameters())
    scheduler = CyclicLR(
        official, base_lr=0.0, max_lr=0.2, step_size_up=TOTAL / 2, step_size_down=TOTAL / 2
    )
    for step in range(TOTAL):
        set_rates(optimizer, Triangular(momentum_dip=0.1), at(step))
        descend(ours, optimizer, step)
        descend(theirs, official, step)
        scheduler.step()
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-12)


def test_without_a_dip_momentum_stays_and_is_not_reported():
    optimizer = ready(sgd(net().parameters()))
    for schedule in (Triangular(), Constant()):
        set_rates(optimizer, schedule, at(TOTAL // 2))
        assert rates(optimizer, schedule) == {"train/lr": 0.2}
        assert optimizer.param_groups[0]["momentum"] == 0.9


def test_momentum_is_lowest_at_the_peak_and_reported():
    optimizer = ready(sgd(net().parameters()))
    for step, momentum in [(0, 0.9), (3, 0.85), (6, 0.8), (9, 0.85)]:
        set_rates(optimizer, Triangular(momentum_dip=0.1), at(step))
        found = rates(optimizer, Triangular(momentum_dip=0.1))["train/momentum"]
        assert found == pytest.approx(momentum, abs=1e-15)


def test_no_momentum_at_all_stays_none():
    optimizer = ready(torch.optim.SGD(net().parameters(), lr=0.2))
    refuse_momentum_too_small(optimizer, Triangular(momentum_dip=0.1))
    set_rates(optimizer, Triangular(momentum_dip=0.1), at(TOTAL // 2))
    assert optimizer.param_groups[0]["momentum"] == 0


def test_momentum_that_cannot_be_lowered_is_refused_by_name():
    dip = Triangular(momentum_dip=0.1)
    optimizer = torch.optim.SGD(net().parameters(), lr=0.2, momentum=0.05)
    with pytest.raises(ValueError, match=r"optimizer.momentum must be 0 or above .*0.1, got 0.05"):
        refuse_momentum_too_small(optimizer, dip)
    with pytest.raises(ValueError, match=r"lr_schedule.momentum_dip=0.1 .* Adagrad"):
        refuse_momentum_too_small(torch.optim.Adagrad(net().parameters()), dip)
    with pytest.raises(ValueError, match=r"lr_schedule.momentum_dip must be in \[0, 1\), got 1"):
        Triangular(momentum_dip=1)


WARM = 2  # epochs of warm-up in what follows, of EPOCHS
LONG = 7  # epochs


def factors(schedule, epochs=LONG):
    """Return the factor of every update, as the trainer sets it."""
    optimizer = ready(torch.optim.SGD(net().parameters(), lr=1.0))
    found = []
    for step in range(epochs * STEPS):
        set_rates(optimizer, schedule, at(step, epochs=epochs))
        found.append(optimizer.param_groups[0]["lr"])
    return found


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_acls_schedule_is_stepped_before_each_update():
    # Their LambdaLR, stepped at the head of the loop.
    official = torch.optim.SGD(net().parameters(), lr=1.0)
    warmup, total, low = WARM * STEPS, LONG * STEPS, 1e-6 / 5

    def cosine_annealing(step):
        if step < warmup:
            return step / warmup
        turned = math.cos((step - warmup) / (total - warmup) * math.pi)
        return low + (1 - low) * 0.5 * (1 + turned)

    scheduler, expected = torch.optim.lr_scheduler.LambdaLR(official, cosine_annealing), []
    for _ in range(total):
        scheduler.step()
        expected.append(official.param_groups[0]["lr"])
    ours = WarmupCosine(warmup=WARM / LONG, end=low, count="from_one")
    assert factors(ours) == pytest.approx(expected, abs=1e-12)
    assert expected[-1] == pytest.approx(low)


def test_swavs_warm_up_ends_at_the_peak():
    # Their two arrays, indexed by the update.
    warmup, rest = WARM * STEPS, (LONG - WARM) * STEPS
    rising = [0.1 + 0.9 * k / (warmup - 1) for k in range(warmup)]  # numpy.linspace(0.1, 1, n)
    falling = [0.5 * (1 + math.cos(math.pi * k / rest)) for k in range(rest)]
    ours = WarmupCosine(warmup=WARM / LONG, start=0.1, count="warmup_to_peak")
    assert factors(ours) == pytest.approx(rising + falling, abs=1e-12)


def test_rocls_schedule_is_stepped_before_each_epoch():
    # GradualWarmupScheduler's formula, its last_epoch counted from 1; then a cosine from 0.
    expected = [1 + 14 * epoch / WARM for epoch in range(1, WARM + 1)]
    expected += [15 * (1 + math.cos(math.pi * k / LONG)) / 2 for k in range(LONG - WARM)]
    ours = WarmupCosine(
        warmup=WARM / LONG,
        start=1.0,
        peak=15.0,
        whole_period=True,
        per_epoch=True,
        count="warmup_from_one",
    )
    assert factors(ours) == pytest.approx([f for f in expected for _ in range(STEPS)], abs=1e-12)


def test_supcons_warm_up_leads_onto_a_cosine_that_began_with_training():
    low = 0.1**3

    def cosine(epoch):
        return low + (1 - low) * (1 + math.cos(math.pi * epoch / LONG)) / 2

    expected = []
    for epoch in range(1, LONG + 1):
        for index in range(STEPS):
            share = (index + (epoch - 1) * STEPS) / (WARM * STEPS)
            warm = 0.02 + share * (cosine(WARM) - 0.02)
            expected.append(warm if epoch <= WARM else cosine(epoch))
    ours = WarmupOntoCosine(warmup=WARM / LONG, start=0.02, end=low)
    assert factors(ours) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("per_epoch", [False, True])
@pytest.mark.parametrize("epochs", [1, 2, 7, 40])
def test_however_short_training_is_a_rate_stays_between_start_and_peak(count, per_epoch, epochs):
    schedule = WarmupCosine(warmup=0.01, start=0.1, per_epoch=per_epoch, count=count)
    assert all(0 <= factor <= 1 for factor in factors(schedule, epochs))


def test_a_schedule_of_someone_elses_needs_only_to_be_called():
    assert factors(lambda epoch, max_epochs: 1 - epoch / max_epochs, 1) == [1, 0.75, 0.5, 0.25]


def test_a_count_that_does_not_exist_is_refused_by_name():
    with pytest.raises(ValueError, match=r"lr_schedule.count must be one of from_zero, .*'zero'"):
        WarmupCosine(count="zero")


class Brightness(Method):
    """Fit the mean brightness of noisy images."""

    def __init__(self):
        super().__init__()
        self.encoder = SmallConv(channels=1, widths=[4, 8], mean=[0.5], std=[0.5])
        self.head = nn.Linear(8, 1)

    def training_step(self, batch, progress):
        noisy = batch.images + 0.1 * torch.randn_like(batch.images)
        error = self.head(self.encoder(noisy)) - batch.images.mean((1, 2, 3))[:, None]
        return {"loss": error.square().mean()}


def trainer(momentum_dip=0.1):
    seed_everything(0)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (20, 1, 8, 8), generator=generator).to(torch.uint8)
    train = ImageSet(pixels, torch.arange(20) % 2)
    return Trainer(
        method=Brightness(),
        optimizer=sgd,
        lr_schedule=Triangular(momentum_dip=momentum_dip),
        train=train,
        batches=ShuffledBatches(train, batch_size=5, seed=0),
        max_epochs=4,
        options=TrainerOptions(),
    )


def test_moving_momentum_is_logged_and_resumes_bit_for_bit():
    straight = trainer()
    expected = [result.metrics for result in straight.epochs()]
    first = trainer()
    epochs = first.epochs()
    got = [next(epochs).metrics, next(epochs).metrics]
    state = copy.deepcopy(first.state_dict())
    second = trainer()
    second.load_state_dict(state)
    got += [result.metrics for result in second.epochs()]
    assert got == expected
    assert [one["train/momentum"] for one in got] == pytest.approx([0.8625, 0.8125, 0.8375, 0.8875])
    for mine, other in zip(second.method.parameters(), straight.method.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_checkpoint_from_before_momentum_moved_goes_on():
    early = trainer(momentum_dip=0.0)
    next(early.epochs())
    later = trainer()
    later.load_state_dict(copy.deepcopy(early.state_dict()))
    assert "initial_momentum" not in later.optimizer.param_groups[0]
    assert next(later.epochs()).metrics["train/momentum"] == pytest.approx(0.8125)
