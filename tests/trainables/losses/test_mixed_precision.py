"""Losses are as precise in mixed precision as without: it is for networks."""

import pytest
import torch

from trainables.losses.byol import byol, msr
from trainables.losses.classification import loss_and_accuracy
from trainables.losses.info_nce import info_nce
from trainables.losses.nt_xent import nt_xent
from trainables.losses.rocl import rocl
from trainables.losses.simsiam import simsiam
from trainables.losses.suncet import suncet
from trainables.losses.supcon import supcon
from trainables.losses.swav import swav
from trainables.losses.trades import divergence_from, trades
from trainables.networks.prototypes import Prototypes
from trainables.progress import Progress

LABELS = torch.arange(12) % 3
FIRST = Progress(step=0, epoch=0, max_epochs=10, fraction=0.0)


def scores_of(pair):
    torch.manual_seed(0)
    return Prototypes(width=8, count=5, queue_length=0)(pair, FIRST)[0]


LOSSES = {
    "byol": lambda x: byol(x, x.detach().flip(2)),
    "msr": lambda x: msr(x, x.detach().flip(2), beta=0.3),
    "simsiam": lambda x: simsiam(x, x.flip(2)),
    "nt_xent": lambda x: nt_xent(x, temperature=0.1),
    "rocl": lambda x: rocl(
        lambda rows: rows, *x, x[0].flip(1), temperature=0.1, regularisation=0.5
    ),
    "info_nce": lambda x: info_nce(x[0], x[1], x[1].detach().flip(1), temperature=0.1),
    "suncet": lambda x: suncet(x[0], LABELS, temperature=0.1),
    "supcon": lambda x: supcon(x[0], LABELS, temperature=0.1),
    "prototypes": lambda x: scores_of(x).square().sum(),
    "swav": lambda x: swav(x / 10, temperature=0.1, epsilon=0.05),
    "cross_entropy": lambda x: loss_and_accuracy(x[0], LABELS)[0],
    "trades": lambda x: trades(x[0], x[1], LABELS, weight=6.0),
    "divergence": lambda x: divergence_from(x[0])(x[1]).sum(),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_value_and_gradient_are_those_of_float32(loss):
    embeddings = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    expected = loss(embeddings)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = loss(embeddings)
    assert torch.equal(ours, expected)
    gradients = (torch.autograd.grad(value, embeddings)[0] for value in (ours, expected))
    assert torch.equal(*gradients)
