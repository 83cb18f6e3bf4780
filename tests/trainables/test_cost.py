"""What training is said to cost."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from raystudy.config import compose
from raystudy.trial.build import build_trainer
from trainables.batch import Batch
from trainables.cost import Cost
from trainables.data.image_set import ImageSet, Splits
from trainables.networks.encoder import Encoder
from trainables.networks.small_conv import SmallConv

BATCH = 4


def trainer_of(study, *overrides, images=8, size=32):
    pixels = torch.randint(0, 256, (images, 3, size, size)).to(torch.uint8)
    train = ImageSet(pixels, torch.arange(images) % 2)
    splits = Splits(train, train, train, ("a", "b"))
    settings = compose.load(
        study, ["data=cifar10", f"batch_size={BATCH}", "max_epochs=2", "device=cpu", *overrides]
    )
    return build_trainer(settings, splits)


def one_epoch(trainer):
    return next(trainer.epochs()).metrics


def test_simclr_on_a_resnet18_costs_two_forwards_and_backwards():
    metrics = one_epoch(trainer_of("simclr"))
    assert metrics["cost/updates"] == 2
    assert metrics["cost/images"] == 8
    # methods.md 1.0: 1.111 GFLOP a forward, thrice that for a step, two views; heads are small.
    assert metrics["cost/flops"] == pytest.approx(8 * 2 * 3 * 1.111e9, rel=0.02)
    assert metrics["cost/forward_passes"] == metrics["cost/backward_passes"] == 8 * 2


def test_rocl_with_cached_targets_costs_thirty_forwards():
    metrics = one_epoch(trainer_of("rocl"))
    assert metrics["cost/flops"] == pytest.approx(8 * 30 * 1.111e9, rel=0.02)


@pytest.mark.parametrize("steps", [1, 3])
def test_every_step_of_an_attack_is_a_pass_there_and_back(steps):
    metrics = one_epoch(trainer_of("at", "encoder=small_conv", f"attack.steps={steps}"))
    assert metrics["cost/forward_passes"] == metrics["cost/backward_passes"] == 8 * (steps + 1)


def test_a_momentum_encoder_is_passed_forward_only():
    metrics = one_epoch(trainer_of("moco", "encoder=small_conv"))
    assert metrics["cost/forward_passes"] == 8 * 4  # both views, through both encoders
    assert metrics["cost/backward_passes"] == 8 * 2


def test_what_is_compiled_is_counted_as_well():
    plain, compiled = (
        one_epoch(trainer_of("simclr", "encoder=small_conv", *overrides))
        for overrides in ([], ["trainer.compile=true", "trainer.compile_backend=eager"])
    )
    assert compiled["cost/forward_passes"] == plain["cost/forward_passes"] == 8 * 2
    assert compiled["cost/flops"] == plain["cost/flops"]


def test_an_encoder_within_an_encoder_is_one():
    inner = SmallConv(channels=1, widths=[2], mean=[0.5], std=[0.5])

    class Outer(Encoder):
        def forward(self, images):
            return inner(images)

    outer = Outer(num_features=2, mean=[0.5], std=[0.5])
    images = torch.rand(3, 1, 8, 8)
    cost = Cost()
    batch = Batch(images, torch.empty(0), torch.arange(3))
    cost.of_update(batch, lambda: outer(batch.images).sum().backward())
    assert (cost.forward_passes, cost.backward_passes) == (3, 3)


def test_torch_counts_the_same():
    trainer = trainer_of("rocl", "encoder=small_conv")
    batch = next(trainer._batches.epoch(0))
    progress = trainer._progress(0)
    cost = Cost()
    cost.of_update(batch, lambda: trainer._update(batch, progress))
    with FlopCounterMode(display=False) as torchs:
        trainer._update(batch, progress)
    assert cost.flops == torchs.get_total_flops()


def test_every_size_of_batch_is_counted_by_itself():
    cost, weight = Cost(), torch.ones(5, 5)
    for rows in (4, 4, 6):
        batch = Batch(torch.ones(rows, 5), torch.empty(0), torch.arange(rows))
        cost.of_update(batch, lambda batch=batch: batch.images @ weight)
    assert cost.metrics() == {
        "cost/updates": 3,
        "cost/images": 14,
        "cost/flops": 2 * 14 * 25,
        "cost/forward_passes": 0,
        "cost/backward_passes": 0,
    }


def test_it_goes_on_after_a_resume():
    straight = [result.metrics for result in trainer_of("simclr", "encoder=small_conv").epochs()]
    first, second = (trainer_of("simclr", "encoder=small_conv") for _ in range(2))
    one_epoch(first)
    second.load_state_dict(first.state_dict())
    resumed = one_epoch(second)
    assert {n: v for n, v in resumed.items() if n.startswith("cost/")} == {
        n: v for n, v in straight[1].items() if n.startswith("cost/")
    }
    assert straight[1]["cost/flops"] == 2 * straight[0]["cost/flops"]


def ranks_flops():
    return one_epoch(trainer_of("simclr", "encoder=small_conv"))


def test_two_ranks_count_what_both_do(run_ranks):
    alone = one_epoch(trainer_of("simclr", "encoder=small_conv"))
    for metrics in run_ranks(ranks_flops):
        for name in ("images", "forward_passes", "backward_passes"):
            assert metrics[f"cost/{name}"] == alone[f"cost/{name}"]
        assert metrics["cost/flops"] == pytest.approx(alone["cost/flops"], rel=0.01)
