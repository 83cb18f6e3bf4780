"""PGD beside torchattacks' on networks of the project. By hand:

``python tests/benchmarks/attacks.py [--rounds 11] [--threads 2] [--device cpu]``

Side by side in one process: each round times both once, in an order that turns, so that a busy
machine slows them alike; printed are the median of milliseconds per image batch and the median of
the rounds' ratios theirs / ours. Both start from the same seed and return the same images but for
rounding (in double precision to 1e-12, as the tests say), which is checked first. Networks and
images lie in memory as PyTorch makes them, and the networks are in eval mode. Both libraries ask
for input gradients only; nine tenths of the time are the network's. What ours gains on CPU comes
from multiplying batch norms into convolutions for the time of an attack and from images in
channels-last memory.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
import torchattacks

from trainables.attacks.balls import L2Ball, LinfBall
from trainables.attacks.pgd import PGD
from trainables.networks.folding import under_attack
from trainables.networks.resnet import ResNet
from trainables.networks.small_conv import SmallConv

BAR = 1.2  # times torchattacks
EIGHT = 8 / 255


def classifier(name):
    """Return a network in eval mode and the shape of its images."""
    if name == "resnet18":
        return with_head(
            ResNet(depth=18, stem="cifar", channels=3, mean=[0.5] * 3, std=[0.25] * 3)
        ), (3, 32, 32)
    channels, size = (1, 8) if name == "small digits" else (3, 32)
    encoder = SmallConv(
        channels=channels, widths=[32, 64, 128], mean=[0.5] * channels, std=[0.25] * channels
    )
    return with_head(encoder), (channels, size, size)


def with_head(encoder):
    return torch.nn.Sequential(encoder, torch.nn.Linear(encoder.num_features, 10)).eval()


def contestants(model, misfit, labels, steps):
    """Return pairs of attacks (ours, theirs) of images, by name."""

    def pair(ours, theirs):
        def within(x):  # as methods and evaluations attack
            with under_attack(model, "eval"):
                return ours(misfit, x)

        return within, lambda x: theirs(x, labels)

    linf, l2 = LinfBall(epsilon=EIGHT), L2Ball(epsilon=0.5)
    return {
        f"PGD-{steps}": pair(
            PGD(ball=linf, step_size=2 / 255, steps=steps),
            torchattacks.PGD(model, eps=EIGHT, alpha=2 / 255, steps=steps),
        ),
        f"PGD-{steps}-l2": pair(
            PGD(ball=l2, step_size=0.1, steps=steps, start="radius_uniform"),
            torchattacks.PGDL2(model, eps=0.5, alpha=0.1, steps=steps),
        ),
        "FGSM": pair(
            PGD(ball=linf, step_size=EIGHT, steps=1, start="zero"),
            torchattacks.FGSM(model, eps=EIGHT),
        ),
    }


def seconds(run, images):
    if images.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    run(images)
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def seeded(run, images):
    torch.manual_seed(1)
    return run(images)


def compare(name, pair, misfit, images, rounds):
    """Print a line for one attack and return the median ratio."""
    found = [seeded(run, images) for run in pair]
    losses = [misfit(copies).mean() for copies in found]
    # float32 rounds, a sign follows, steps compound it; tests compare images in double precision.
    assert (losses[0] / losses[1] - 1).abs() < 0.01, losses
    times = []
    for turn in range(rounds):
        order = (0, 1) if turn % 2 else (1, 0)
        times.append({which: seconds(pair[which], images) for which in order})
    ours, theirs = (1e3 * statistics.median(t[which] for t in times) for which in (0, 1))
    ratio = statistics.median(t[1] / t[0] for t in times)
    print(f"{name:12s} ours {ours:8.1f} ms   torchattacks {theirs:8.1f} ms   {ratio:.2f}x")
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ratios = {}
    for network, batch in (("small conv", 128), ("small digits", 128), ("resnet18", 128)):
        print(f"{network}, {batch} images")
        torch.manual_seed(0)
        model, shape = classifier(network)
        model.to(options.device)
        images = torch.rand(batch, *shape, device=options.device)
        labels = torch.randint(0, 10, (batch,), device=options.device)

        def misfit(x, model=model, labels=labels):
            return F.cross_entropy(model(x), labels, reduction="none")

        for name, pair in contestants(model, misfit, labels, 10).items():
            ratios[network, name] = compare(name, pair, misfit, images, options.rounds)
    smallest = min(ratio for (_, name), ratio in ratios.items() if name != "FGSM")
    verdict = "met" if smallest >= BAR else "MISSED"
    print(f"PGD: at least {smallest:.2f} times torchattacks; the bar of {BAR:g} is {verdict}")


if __name__ == "__main__":
    main()
