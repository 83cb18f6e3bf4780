"""BYOL and MSR: one is the other at beta 0."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.batch import Batch
from trainables.methods.byol import BYOL
from trainables.methods.msr import MSR
from trainables.methods.simsiam import SimSiam
from trainables.methods.simsiam_msr import SimSiamMSR
from trainables.networks.small_conv import SmallConv
from trainables.networks.target import Target, rising_momentum
from trainables.optim.schedules import decayed
from trainables.progress import Progress
from trainables.random_state import seed_everything


def shift(images):
    """A weak view: every image moved by a pixel or not, as a coin says."""
    coins = torch.rand(len(images), 1, 1, 1) < 0.5
    return torch.where(coins, images.roll(1, dims=3), images)


def noise(images):
    """An aggressive stage."""
    return (images + 0.3 * torch.rand_like(images)).clamp(0, 1)


def identity(images):
    return images


def at(fraction=0.0):
    return Progress(step=int(1000 * fraction), epoch=0, max_epochs=1, fraction=fraction)


def batch(n=8):
    images = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    return Batch(images, torch.empty(0, dtype=torch.int64), torch.arange(n))


def encoder():
    return SmallConv(channels=1, widths=[4, 8], mean=[0.5], std=[0.5])


HEADS = {"hidden_width": 16, "embedding_width": 6}


def make(method, **settings):
    seed_everything(0)
    defaults = {"augment": shift, "momentum": 0.99, **HEADS}
    if method is MSR:
        defaults |= {"aggressive": noise, "beta_base": 0.3}
    if method in (SimSiam, SimSiamMSR):
        defaults = {"augment": shift, "projector_widths": [16], "predictor_width": 4}
        defaults["embedding_width"] = 6
    if method is SimSiamMSR:
        defaults |= {"aggressive": noise, "beta_base": 0.3}
    return method(encoder=encoder(), **(defaults | settings))


def gradients(method, fraction=0.0, seed=5):
    torch.manual_seed(seed)
    method.zero_grad()
    loss = method.training_step(batch(), at(fraction))["loss"]
    loss.backward()
    return loss, [p.grad.clone() for p in method.parameters() if p.grad is not None]


def test_msr_at_beta_0_is_byol_of_aggressive_towards_weak_views_bit_for_bit():
    method = make(MSR, beta_base=0.0)
    loss, ours = gradients(method)
    twin = make(MSR)
    torch.manual_seed(5)
    images = batch().images
    weak = shift(images), shift(images)
    strong = noise(weak[0]), noise(weak[1])
    online = nn.Sequential(twin.encoder, twin.projector, twin.predictor)
    target = copy.deepcopy(nn.Sequential(twin.encoder, twin.projector))
    q = [online(view) for view in strong]
    with torch.no_grad():
        z = [target(view) for view in weak]
    distances = [2 - 2 * F.cosine_similarity(q[i], z[1 - i]) for i in (0, 1)]
    expected = (distances[0] + distances[1]).mean()
    expected.backward()
    assert loss == expected
    theirs = [p.grad for p in twin.parameters() if p.grad is not None]
    assert len(ours) == len(theirs)
    assert all(map(torch.equal, ours, theirs))


def test_without_stop_gradient_the_aggressive_pair_has_twice_the_gradient():
    settings = {"beta_base": 1.0, "decay": "constant"}
    _, stopped = gradients(make(MSR, **settings))
    _, full = gradients(make(MSR, stop_gradient=False, **settings))
    for one, other in zip(stopped, full, strict=True):
        torch.testing.assert_close(2 * one, other, rtol=1e-4, atol=1e-6)


def test_at_beta_1_the_target_has_no_say():
    settings = {"beta_base": 1.0, "decay": "constant"}
    one, other = make(MSR, **settings), make(MSR, **settings)
    for parameter in other.target.parameters():
        parameter.data += torch.randn_like(parameter)
    other.momentum = one.momentum = 1.0
    assert gradients(one)[0] == gradients(other)[0]


def test_msr_without_a_second_stage_is_byol_on_weak_views():
    loss, ours = gradients(make(MSR, aggressive=identity, beta_base=0.0))
    expected, theirs = gradients(make(BYOL))
    assert loss == expected
    assert all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize(
    ("fraction", "beta", "momentum"), [(0, 0.3, 0.99), (0.5, 0.15, 0.995), (1, 0, 1)]
)
def test_beta_falls_and_momentum_rises_as_half_a_cosine(fraction, beta, momentum):
    assert decayed(0.3, fraction, "cosine") == pytest.approx(beta)
    assert decayed(0.3, fraction, "constant") == 0.3
    assert rising_momentum(0.99, fraction) == pytest.approx(momentum)


def test_beta_and_momentum_are_refused_outside_0_and_1():
    for settings in ({"beta_base": 1.2}, {"momentum": -0.1}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            make(MSR, **settings)
    with pytest.raises(ValueError, match="cosine or constant"):
        make(MSR, decay="linear").training_step(batch(), at())


@pytest.mark.parametrize("method", [BYOL, MSR])
def test_the_target_lags_one_step_and_gets_no_gradient(method):
    a_method = make(method)
    gradients(a_method)
    online, target = a_method.encoder, a_method.target.copy[0]
    for mine, theirs in zip(target.parameters(), online.parameters(), strict=True):
        assert torch.equal(mine, theirs)  # the first update of a copy moves nothing
        assert mine.grad is None
    before = [p.detach().clone() for p in online.parameters()]
    with torch.no_grad():
        for parameter in online.parameters():
            parameter += 1
    gradients(a_method)
    for mine, old in zip(target.parameters(), before, strict=True):
        torch.testing.assert_close(mine.detach(), old + 0.01, rtol=1e-4, atol=1e-6)


def test_a_target_keeps_its_own_statistics():
    part = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    target = Target(part)
    part(torch.randn(8, 3) + 5)
    target.follow(part, momentum=0.5)
    assert not torch.equal(target.copy[0][1].running_mean, part[1].running_mean)
    assert torch.equal(target.copy[0][1].running_mean, torch.zeros(4))


def test_a_step_costs_two_forwards_of_each_network():
    method, seen = make(MSR), []
    for network in (method.encoder, method.target.copy[0]):
        network.register_forward_hook(lambda _, args, __: seen.append(len(args[0])))
    gradients(method)
    assert seen == [8, 8, 8, 8]


def test_msr_heads_are_the_papers():
    method = make(MSR, hidden_width=1024, embedding_width=128)
    # Linear without bias, batch norm, linear without bias.
    assert sum(p.numel() for p in method.projector.parameters()) == 8 * 1024 + 2048 + 1024 * 128
    assert sum(p.numel() for p in method.predictor.parameters()) == 128 * 1024 + 2048 + 131072


def test_simsiam_is_its_definition():
    method = make(SimSiam)
    loss, _ = gradients(method)
    twin = make(SimSiam)
    torch.manual_seed(5)
    images = batch().images
    z = [twin.projector(twin.encoder(view)) for view in (shift(images), shift(images))]
    p = [twin.predictor(one) for one in z]
    cosines = [F.cosine_similarity(p[0], z[1]), F.cosine_similarity(p[1], z[0])]
    torch.testing.assert_close(loss, -(cosines[0] + cosines[1]).mean() / 2)


def test_simsiam_msr_at_beta_0_predicts_weak_projections():
    method = make(SimSiamMSR, beta_base=0.0)
    loss, _ = gradients(method)
    twin = make(SimSiamMSR)
    torch.manual_seed(5)
    images = batch().images
    weak = shift(images), shift(images)
    p = [twin.predictor(twin.projector(twin.encoder(noise(view)))) for view in weak]
    z = [twin.projector(twin.encoder(view)) for view in weak]
    cosines = [F.cosine_similarity(p[0], z[1]), F.cosine_similarity(p[1], z[0])]
    torch.testing.assert_close(loss, 1 - (cosines[0] + cosines[1]).mean() / 2)
