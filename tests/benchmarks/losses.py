"""Contrastive losses, forward and backward, beside other libraries'. By hand:

``python tests/benchmarks/losses.py [--rounds 41] [--threads 2] [--device cpu]``

Side by side in one process: each round times every contestant once, in an order that turns, so
that a busy machine slows all of them alike. Printed are medians of milliseconds and of the
rounds' ratios theirs / ours: above 1 is faster than the peer. All contestants return the same
value, which is checked first.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import statistics
import time

import torch
from lightly.loss import NTXentLoss as LightlyNTXent
from lightly.loss import SwaVLoss
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import NCALoss, SupConLoss
from pytorch_metric_learning.losses import NTXentLoss as PmlNTXent

from trainables.losses.nt_xent import nt_xent
from trainables.losses.suncet import suncet
from trainables.losses.supcon import supcon
from trainables.losses.swav import swav

TEMPERATURE = 0.5


def contrast_views(rows, width, device):
    """Two views of each image: SimCLR's loss."""
    views = torch.randn(2, rows, width, device=device, requires_grad=True)
    image = torch.arange(rows, device=device).repeat(2)
    lightly = LightlyNTXent(temperature=TEMPERATURE)
    # pml's NTXentLoss lists all pairs of pairs and takes seconds at 256 images; its SupConLoss with
    # the image as label returns the same.
    pml = (PmlNTXent if rows <= 64 else SupConLoss)(temperature=TEMPERATURE)
    return views, {
        "ours": lambda: nt_xent(views, temperature=TEMPERATURE),
        "lightly": lambda: lightly(*views),
        "pml": lambda: pml(views.flatten(0, 1), image),
    }


def contrast_classes(rows, width, device):
    """Ten classes: SuNCEt, which pml has as NCA over squared distances of unit vectors."""
    z = torch.randn(rows, width, device=device, requires_grad=True)
    labels = torch.arange(rows, device=device) % 10
    pml = NCALoss(
        softmax_scale=1 / (2 * TEMPERATURE),
        distance=LpDistance(normalize_embeddings=True, p=2, power=2),
    )
    return z, {
        "ours": lambda: suncet(z, labels, temperature=TEMPERATURE),
        "pml": lambda: pml(z, labels),
    }


def contrast_classes_pairwise(rows, width, device):
    """Ten classes: SupCon."""
    z = torch.randn(rows, width, device=device, requires_grad=True)
    labels = torch.arange(rows, device=device) % 10
    pml = SupConLoss(temperature=TEMPERATURE)
    return z, {
        "ours": lambda: supcon(z, labels, temperature=TEMPERATURE),
        "pml": lambda: pml(z, labels),
    }


def swap_assignments(rows, width, device):
    """Two views' similarities to `width` prototypes: SwAV."""
    scores = torch.rand(2, rows, width, device=device, requires_grad=True)
    lightly = SwaVLoss()
    return scores, {
        "ours": lambda: swav(scores, temperature=0.1, epsilon=0.05),
        "lightly": lambda: lightly(list(scores), []),
    }


CASES = (
    ("NT-Xent", contrast_views, 64, 128),
    ("NT-Xent", contrast_views, 256, 128),
    ("NT-Xent", contrast_views, 1024, 128),
    ("SuNCEt", contrast_classes, 280, 128),
    ("SuNCEt", contrast_classes, 1024, 128),
    ("SupCon", contrast_classes_pairwise, 512, 128),
    ("SwAV", swap_assignments, 256, 3000),
)


def seconds(loss, embeddings):
    """Return the time of one forward and backward pass."""
    start = time.perf_counter()
    torch.autograd.grad(loss(), embeddings)
    if embeddings.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(name, make, rows, width, rounds, device):
    """Print a line for one case and return its smallest ratio."""
    embeddings, contestants = make(rows, width, device)
    values = [loss().item() for loss in contestants.values()]
    assert max(values) - min(values) < 1e-4, values
    for loss in [*contestants.values()] * 3:
        seconds(loss, embeddings)
    names, times = list(contestants), []
    for turn in range(rounds):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        times.append({key: seconds(contestants[key], embeddings) for key in order})
    line = f"{name:8s} {rows:5d} x {width:<5d}"
    for key in names:
        line += f"  {key} {1e3 * statistics.median(t[key] for t in times):7.2f} ms"
    ratios = {key: statistics.median(t[key] / t["ours"] for t in times) for key in names[1:]}
    print(line, "  ratios", "  ".join(f"{key} {ratio:.2f}x" for key, ratio in ratios.items()))
    return min(ratios.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    smallest = min(compare(*case, options.rounds, options.device) for case in CASES)
    verdict = "met" if smallest >= 1 else "MISSED"
    print(f"the bar, no loss slower than its peer: {verdict} ({smallest:.2f}x)")


if __name__ == "__main__":
    main()
