"""SCL against the library that its loss is known from."""

import torch
from method_gradients import gradient_of_a_step
from pytorch_metric_learning.losses import SupConLoss

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits


def trainer_of(*overrides):
    settings = compose.load(
        "scl", ["device=cpu", "max_epochs=3", "encoder.widths=[8,16]", *overrides]
    )
    return build_trainer(settings, load_splits(settings))


def test_the_loss_is_supcon_of_two_views_under_their_images_label():
    trainer = trainer_of("method.temperature=0.3")
    batch, seen = next(trainer._batches.epoch(0)), []
    trainer.method.projector.register_forward_hook(lambda _, __, output: seen.append(output))
    loss = trainer.method.training_step(batch, trainer._progress(0))["loss"]
    (embeddings,) = seen
    assert len(batch.labels) == len(batch) == 128
    assert len(embeddings) == 2 * 128
    expected = SupConLoss(temperature=0.3)(embeddings, torch.cat([batch.labels, batch.labels]))
    torch.testing.assert_close(loss, expected)
    assert not torch.equal(*embeddings.chunk(2))


def first_gradient():
    return gradient_of_a_step("scl", [])[1]


def test_two_ranks_have_the_gradient_of_one_process(run_ranks):
    expected = first_gradient()
    for gradient in run_ranks(first_gradient):
        torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-10)
    assert expected.norm() > 0.1
