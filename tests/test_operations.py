"""What a training step asks of the device, and of other ranks, outside the encoder."""

import pytest
import torch
from count_operations import Operations, of_step, one
from on_meta import settings_of, trainer_of
from torch import nn

from raystudy.config import catalogue

# A tenth above what was counted on 2026-11-29 with two steps of an attack.
MOST = {
    "acl": 315, "at": 55, "byol": 235, "cross_entropy": 30, "fast_at": 80, "fast_at_linf": 45,
    "free_at": 20, "moco": 245, "msr": 280, "rocl": 300, "scl": 170, "simclr": 160,
    "simclr_ce": 170, "simsiam": 205, "simsiam_msr": 295, "suncet": 170, "suncet_swav": 240,
    "swaro": 315, "swav": 240, "trades": 80,
}  # fmt: skip
# The same of compiled steps, what is fusible and its gradient as one kernel each; 2026-11-29.
MOST_COMPILED = {
    "acl": 145, "at": 35, "byol": 120, "cross_entropy": 20, "fast_at": 40, "fast_at_linf": 30,
    "free_at": 15, "moco": 95, "msr": 130, "rocl": 130, "scl": 45, "simclr": 65, "simclr_ce": 70,
    "simsiam": 105, "simsiam_msr": 145, "suncet": 70, "suncet_swav": 165, "swaro": 150,
    "swav": 165, "trades": 45,
}  # fmt: skip


@pytest.mark.parametrize("study", catalogue.study_names())
def test_a_step_has_few_kernels_outside_the_encoder(study):
    settings = settings_of(study, "encoder=resnet18", "trainer.clip_grad_norm=null")
    assert of_step(trainer_of(settings)).kernels.total() <= MOST[study]


@pytest.mark.parametrize("study", catalogue.study_names())
def test_a_compiled_step_has_fewer(study):
    settings = settings_of(study, "encoder=resnet18", "trainer.clip_grad_norm=null")
    assert of_step(trainer_of(settings), one).kernels.total() <= MOST_COMPILED[study]


def test_views_and_allocations_are_no_kernels():
    values = torch.empty(4, 2, device="meta")
    with Operations() as counted:
        values.t().unsqueeze(0).expand(3, 2, 4).mul(2)
        torch.empty(3, device="meta")
    assert counted.kernels == {"mul": 1}
    assert counted.by_name.total() == 5


def test_what_happens_in_an_encoder_is_not_counted():
    method = trainer_of(settings_of("simclr")).method
    counted, images = Operations(), torch.rand(6, 3, 16, 16, device="meta")
    counted.skip_encoders_of(method)
    with counted:
        nn.Sequential(method.encoder, nn.Identity())(images).sum().backward()
    assert set(counted.kernels) == {"sum", "ones_like"}
    assert all(weight.grad is not None for weight in method.encoder.parameters())


@pytest.mark.parametrize("study", catalogue.study_names())
def test_a_method_says_whether_each_step_trains_every_parameter(study):
    trainer, left_out = trainer_of(settings_of(study)), set()
    trainer.method.train()
    for epoch in (0, trainer.max_epochs // 2, trainer.max_epochs - 1):
        trainer.epoch = epoch
        trainer.method.before_epoch(trainer._train, trainer._progress(0))
        batch = next(iter(trainer._batches.epoch(epoch)))
        trainer.optimizer.zero_grad(set_to_none=True)
        trainer._step(batch, trainer._progress(0))["loss"].backward()
        parameters = [value for value in trainer.method.parameters() if value.requires_grad]
        left_out |= {value for value in parameters if value.grad is None}
    assert trainer.method.trains_every_parameter == (not left_out)
