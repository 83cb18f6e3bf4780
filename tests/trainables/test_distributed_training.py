"""Two ranks train the network that one process trains: data, draws, batch norm and loss."""

import torch

from trainables import random_state
from trainables.augment.crops import RandomResizedCrop
from trainables.augment.pipeline import Pipeline
from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet
from trainables.methods.simclr import SimCLR
from trainables.networks.small_conv import SmallConv
from trainables.optim.schedules import WarmupCosine
from trainables.trainer import Trainer, TrainerOptions


def images():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (24, 1, 8, 8), generator=generator).to(torch.uint8)
    return ImageSet(pixels, torch.arange(24) % 2)


def trained_with_simclr():
    """Return the metrics of two epochs and the state after them, whole states of ranks equal."""
    random_state.seed_everything(3)
    train = images()
    trainer = Trainer(
        method=SimCLR(
            encoder=SmallConv(channels=1, widths=[4, 8], mean=[0.5], std=[0.3]),
            projector_width=8,
            embedding_width=4,
            augment=Pipeline(transforms={"crop": RandomResizedCrop(scale_min=0.5)}),
            temperature=0.5,
        ),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
        lr_schedule=WarmupCosine(),
        train=train,
        batches=ShuffledBatches(train, batch_size=8, seed=1),
        max_epochs=2,
        options=TrainerOptions(),
    )
    metrics = [result.metrics for result in trainer.epochs()]
    return metrics, trainer.method.state_dict(), torch.rand(1)


def test_simclr_on_two_ranks_is_simclr_on_one(run_ranks):
    metrics, state, next_draw = trained_with_simclr()
    for other_metrics, other_state, other_draw in run_ranks(trained_with_simclr):
        # Six float32 updates, in which sums are taken in another order.
        torch.testing.assert_close(other_state, state, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(other_metrics, metrics, atol=1e-5, rtol=1e-5)
        assert other_draw == next_draw


def test_both_ranks_end_with_the_same_bits(run_ranks):
    (_, first, _), (_, second, _) = run_ranks(trained_with_simclr)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
