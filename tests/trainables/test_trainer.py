"""The trainer: epochs, means, learning rate, divergence, exact resume."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet
from trainables.methods.base import Method
from trainables.networks.small_conv import SmallConv
from trainables.optim.schedules import WarmupCosine
from trainables.random_state import seed_everything
from trainables.trainer import Trainer, TrainerOptions, TrainingDivergedError


class Regression(Method):
    """Fit the mean brightness; logs what it saw of the progress."""

    def __init__(self, bad_epoch=None):
        super().__init__()
        self.encoder = SmallConv(channels=1, widths=[4, 8], mean=[0.5], std=[0.5])
        self.head = nn.Linear(8, 1)
        self.bad_epoch = bad_epoch
        self.seen = []

    def training_step(self, batch, progress):
        self.seen.append((progress.epoch, progress.step, round(progress.fraction, 6)))
        noisy = batch.images + 0.1 * torch.randn_like(batch.images)
        loss = (self.head(self.encoder(noisy)) - batch.images.mean((1, 2, 3))[:, None]).square()
        factor = math.nan if progress.epoch == self.bad_epoch else 1.0
        return {"loss": loss.mean() * factor, "epoch": torch.tensor(float(progress.epoch))}


def images(n=20):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, 1, 8, 8), generator=generator).to(torch.uint8)
    return ImageSet(pixels, torch.arange(n) % 2)


def trainer(max_epochs=4, method=None, **options):
    seed_everything(0)
    train = images()
    return Trainer(
        method=method or Regression(),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
        lr_schedule=WarmupCosine(warmup=0.25, start=0.5),
        train=train,
        batches=ShuffledBatches(train, batch_size=8, seed=0),
        max_epochs=max_epochs,
        options=TrainerOptions(**options),
    )


def weights(a_trainer):
    return torch.cat([p.detach().flatten() for p in a_trainer.method.parameters()])


def test_epochs_count_from_one_and_steps_from_zero():
    a_trainer = trainer()
    assert [result.epoch for result in a_trainer.epochs()] == [1, 2, 3, 4]
    assert a_trainer.method.seen == [
        (e, 2 * e + i, (2 * e + i) / 8) for e in range(4) for i in (0, 1)
    ]


def test_logged_scalars_are_means_over_the_epoch():
    assert [result.metrics["train/epoch"] for result in trainer().epochs()] == [0, 1, 2, 3]


def test_the_learning_rate_follows_the_schedule_step_by_step():
    a_trainer = trainer()
    rates = [result.metrics["train/lr"] for result in a_trainer.epochs()]
    schedule = WarmupCosine(warmup=0.25, start=0.5)
    assert rates == [pytest.approx(0.1 * schedule(e + 0.5, 4)) for e in range(4)]


def test_a_scalar_that_is_not_finite_ends_training():
    with pytest.raises(TrainingDivergedError, match=r"train/loss became nan in epoch 3"):
        list(trainer(method=Regression(bad_epoch=2)).epochs())


def test_resume_is_bitwise(tmp_path):
    straight = trainer()
    expected = [result.metrics for result in straight.epochs()]
    first = trainer()
    epochs = first.epochs()
    got = [next(epochs).metrics, next(epochs).metrics]
    torch.save(first.state_dict(), tmp_path / "state")
    torch.randn(17)  # whatever happens between the two processes
    second = trainer()
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    got += [result.metrics for result in second.epochs()]
    assert got == expected
    torch.testing.assert_close(weights(second), weights(straight), rtol=0, atol=0)


def test_the_gradient_is_clipped():
    clipped, free = trainer(max_epochs=1, clip_grad_norm=1e-9), trainer(max_epochs=1)
    before = weights(clipped)
    list(clipped.epochs()), list(free.epochs())
    assert (weights(clipped) - before).norm() < 1e-7 < (weights(free) - before).norm()


@pytest.mark.parametrize("options", [{"channels_last": True}, {"precision": "bfloat16"}])
def test_arithmetic_options_leave_the_result_near(options):
    plain = [result.metrics["train/loss"] for result in trainer().epochs()]
    other = [result.metrics["train/loss"] for result in trainer(**options).epochs()]
    assert other == pytest.approx(plain, rel=0.05)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision must be float32 or bfloat16, got 'int8'"):
        TrainerOptions(precision="int8")


def test_neither_optimizers_nor_counting_import_the_compiler():
    code = (
        "import sys; import torch; from functools import partial; from torch import nn, optim\n"
        "from trainables.batch import Batch; from trainables.cost import Cost\n"
        "from trainables.optim.lars import LARS\n"
        "from trainables.preparation import build_optimizer, spare_dynamo\n"
        "spare_dynamo()\n"
        "for kind in (LARS, optim.SGD, optim.Adam, optim.AdamW):\n"
        "    layer = nn.Linear(2, 2)\n"
        "    optimizer = build_optimizer(partial(kind, lr=0.1), layer)\n"
        "    layer(torch.ones(1, 2)).sum().backward()\n"
        "    before = layer.weight.clone()\n"
        "    optimizer.step(); optimizer.zero_grad()\n"
        "    assert not torch.equal(layer.weight, before)\n"
        "    optimizer.load_state_dict(optimizer.state_dict())\n"
        "rows = torch.ones(3, 3)\n"
        "Cost().of_update(Batch(rows, rows, rows), lambda: rows @ rows)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
