"""Evaluation attacks beside torchattacks. By hand:

``PYTHONPATH=tests/support python tests/benchmarks/evaluation_attacks.py [--rounds 5]``
``[--threads 2] [--device cpu] [--images 256] [--network toy|small_conv|resnet18]``

Side by side in one process: each round times both once, in an order that turns; printed are the
medians of milliseconds and of the rounds' ratios theirs / ours, and the accuracy either leaves.
With PGD-20 both take the same steps from the same seed ("last step" keeps what torchattacks
keeps). The other rows do the same work for the same verdict, but ours lets broken images leave.
The toy is fitted to ten classes, a quarter to a half of which the attacks break; the other
networks are untrained and tell of speed only.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import statistics
import time

import torch
import torchattacks
from torch import nn
from toy_classifiers import accuracy, trained

from trainables.attacks.apgd import APGD
from trainables.attacks.balls import L2Ball, LinfBall
from trainables.attacks.fab import FAB
from trainables.attacks.objectives import DLR
from trainables.attacks.square import Square
from trainables.attacks.white_box import WhiteBoxPGD
from trainables.networks.folding import under_attack
from trainables.networks.resnet import ResNet
from trainables.networks.small_conv import SmallConv


def problem(network, images, device):
    """Return a network in eval mode, images, labels and how far the attacks may go."""
    if network == "toy":
        model, x, labels = trained(images=images)
        return model.to(device), x.to(device), labels.to(device), 0.09, 0.8
    torch.manual_seed(0)
    colours = {"channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
    if network == "small_conv":
        encoder = SmallConv(widths=[32, 64, 128], **colours)
    else:
        encoder = ResNet(depth=18, stem="cifar", **colours)
    model = nn.Sequential(encoder, nn.Linear(encoder.num_features, 10)).eval().to(device)
    x = torch.rand(images, 3, 32, 32, device=device)
    with torch.no_grad():
        return model, x, model(x).argmax(dim=1), 8 / 255, 0.5


def contestants(model, linf, l2, heavy):
    """Return pairs of attacks (ours, theirs) of images and labels, by name."""

    def pair(ours, *theirs):
        def in_turn(x, labels):  # every restart of every image, as torchattacks' users do
            for attack in theirs:
                found = attack(x, labels)
            return found

        def within(x, labels):  # as evaluations attack
            with under_attack(model, "eval"):
                return ours(model, x, labels)

        return within, in_turn

    def pgd(ball, relative_step, start, **settings):
        return WhiteBoxPGD(
            ball=ball, relative_step=relative_step, steps=20, start=start, **settings
        )

    inside, around = LinfBall(epsilon=linf), L2Ball(epsilon=l2)
    peer = torchattacks.PGD(model, eps=linf, alpha=linf / 10, steps=20)
    peer_l2 = torchattacks.PGDL2(model, eps=l2, alpha=l2 / 8, steps=20)
    rows = {
        "PGD-20, last step": pair(pgd(inside, 0.1, "ball", keep_best=False), peer),
        "PGD-20, worst step": pair(pgd(inside, 0.1, "ball"), peer),
        "PGD-20-l2, last step": pair(
            pgd(around, 0.125, "radius_uniform", keep_best=False), peer_l2
        ),
        "PGD-20, 5 starts": pair(pgd(inside, 0.1, "ball", restarts=5), *[peer] * 5),
    }
    if not heavy:
        return rows
    norm = {"norm": "Linf", "eps": linf}
    return rows | {
        "APGD-CE, 50 steps": pair(
            APGD(ball=inside, steps=50), torchattacks.APGD(model, steps=50, **norm)
        ),
        "APGD-T, 20 steps": pair(
            APGD(ball=inside, steps=20, objective=DLR(), targets=9),
            torchattacks.APGDT(model, steps=20, **norm),
        ),
        "FAB-T, 10 steps": pair(
            FAB(ball=inside, steps=10),
            torchattacks.FAB(model, steps=10, multi_targeted=True, **norm),
        ),
        "Square, 200 queries": pair(
            Square(ball=inside, queries=200), torchattacks.Square(model, n_queries=200, **norm)
        ),
    }


def seconds(run, x, labels):
    torch.manual_seed(1)
    if x.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    found = run(x, labels)
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start, found


def compare(name, pair, model, x, labels, rounds):
    """Print a line for one attack."""
    times, left = [], {}
    for turn in range(rounds):
        took = {}
        for which in (0, 1) if turn % 2 else (1, 0):
            took[which], found = seconds(pair[which], x, labels)
            left[which] = accuracy(model, found, labels)
        times.append(took)
    ours, theirs = (1e3 * statistics.median(t[which] for t in times) for which in (0, 1))
    ratio = statistics.median(t[1] / t[0] for t in times)
    print(
        f"{name:22s} ours {ours:8.1f} ms, accuracy {left[0]:.3f}   "
        f"torchattacks {theirs:8.1f} ms, accuracy {left[1]:.3f}   {ratio:.2f}x"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--network", choices=["toy", "small_conv", "resnet18"], default="toy")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, x, labels, linf, l2 = problem(options.network, options.images, options.device)
    print(f"{options.network}, {len(x)} images, {options.threads} threads, {options.device}")
    for name, pair in contestants(model, linf, l2, options.network == "toy").items():
        compare(name, pair, model, x, labels, options.rounds)


if __name__ == "__main__":
    main()
