"""Training steps beside lightly's, and RoCL's and SwARo's beside themselves uncached. By hand:

``python tests/benchmarks/steps.py [--rounds 7] [--threads 2] [--batch 128] [--device cpu]``

Side by side in one process: each round times both sides once, in an order that turns, so that a
busy machine slows them alike; printed are the medians of milliseconds per step and of the rounds'
ratios theirs / ours. A step is forward, loss, backward and SGD on two given views: augmentation
has a benchmark of its own. Lightly's side is put together as its own examples are, from its heads,
losses and momentum helpers, over the same encoder. The uncached attack embeds the target view
again in each of its steps, as the authors' code does.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import copy
import statistics
import time
from unittest import mock

import torch
from lightly.loss import NegativeCosineSimilarity, NTXentLoss
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead, SimCLRProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum

import trainables.methods.rocl
import trainables.methods.swaro
from raystudy.config import compose
from raystudy.trial.build import build_trainer
from trainables.data.image_set import ImageSet, Splits
from trainables.losses.nt_xent import nt_xent
from trainables.memory import keep_freed_memory
from trainables.networks.resnet import ResNet
from trainables.networks.small_conv import SmallConv

BARS = {"RoCL": 1.35, "SwARo": 1.35, "SimCLR": 1.0, "BYOL": 1.0, "MSR": 1.0}


def encoder(name):
    statistics_of = {"channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
    if name == "resnet18":
        return ResNet(depth=18, stem="cifar", **statistics_of)
    return SmallConv(widths=[32, 64, 128], **statistics_of)


class LightlySimCLR(torch.nn.Module):
    """As lightly's SimCLR example."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        width = backbone.num_features
        self.projection_head = SimCLRProjectionHead(width, 2048, 128, batch_norm=False)
        self.criterion = NTXentLoss(temperature=0.5)

    def loss(self, view1, view2):
        z0, z1 = (self.projection_head(self.backbone(view)) for view in (view1, view2))
        return self.criterion(z0, z1)


class LightlyBYOL(torch.nn.Module):
    """As lightly's BYOL example."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        width = backbone.num_features
        self.projection_head = BYOLProjectionHead(width, 1024, 128)
        self.prediction_head = BYOLPredictionHead(128, 1024, 128)
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)
        self.criterion = NegativeCosineSimilarity()

    def loss(self, view1, view2):
        update_momentum(self.backbone, self.backbone_momentum, m=0.99)
        update_momentum(self.projection_head, self.projection_head_momentum, m=0.99)
        p0, p1 = (
            self.prediction_head(self.projection_head(self.backbone(v))) for v in (view1, view2)
        )
        with torch.no_grad():
            z0, z1 = (
                self.projection_head_momentum(self.backbone_momentum(v)) for v in (view1, view2)
            )
        return 0.5 * (self.criterion(p0, z1) + self.criterion(p1, z0))


def peer_step(peer, images):
    optimizer = torch.optim.SGD(peer.parameters(), lr=0.01, momentum=0.9)

    def step():
        loss = peer.loss(images, images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def our_step(study, network, images, *overrides):
    """Return a step of a study's method on given views: its augmentation is the identity."""
    pixels = (images * 255).to(torch.uint8)
    train = ImageSet(pixels, torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device))
    chosen = "resnet18" if network == "resnet18" else "small_conv"
    settings = compose.load(
        study,
        [
            "data=cifar10",
            f"encoder={chosen}",
            f"batch_size={len(images)}",
            "augment=none",
            "optimizer=sgd",
            "optimizer.lr=0.01",
            "max_epochs=10",
            *overrides,
        ],
    )
    trainer = build_trainer(settings, Splits(train, train, train, ("a",)))
    trainer.method.train()
    for epoch in (0, 5):  # behind the warm-up, so that SwARo attacks by clusters
        trainer.epoch = epoch
        trainer.method.before_epoch(train, trainer._progress(0))
    batch = next(trainer._batches.epoch(5))
    return lambda: trainer._update(batch, trainer._progress(0))


def embed_targets_again(attack, embed, images, targets, *, temperature, sense, detach_keys):
    """Attack as the authors' code does: both views through the network in each step."""
    del targets, detach_keys

    def misfit(perturbed):
        pair = embed(torch.cat([perturbed, images])).unflatten(0, (2, -1))
        return nt_xent(pair, temperature=temperature, reduction="none").mean(dim=0)

    return attack(misfit, images, sense=sense)


def uncached(step, module):
    def run():
        with mock.patch.object(module, "instance_wise", embed_targets_again_without_sense):
            step()

    return run


def embed_targets_again_without_sense(*arguments, sense=None, **settings):
    return embed_targets_again(*arguments, sense=sense, **settings)


def contestants(network, images):
    """Return pairs of steps (ours, theirs) by name."""
    few_clusters = "clusters.num_clusters=10"
    rocl = our_step("rocl", network, images)
    swaro = our_step("swaro", network, images, few_clusters, "clusters.probability=1")
    pairs = {
        "SimCLR": (
            our_step("simclr", network, images),
            peer_step(LightlySimCLR(encoder(network)).to(images.device), images),
        ),
        "RoCL": (rocl, uncached(rocl, trainables.methods.rocl)),
        "SwARo": (swaro, uncached(swaro, trainables.methods.swaro)),
    }
    for name, study, second in (("BYOL", "byol", []), ("MSR", "msr", ["augment@aggressive=none"])):
        pairs[name] = (
            our_step(study, network, images, *second),
            peer_step(LightlyBYOL(encoder(network)).to(images.device), images),
        )
    return pairs


def seconds(step, device):
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(name, pair, options):
    """Print a line for one method and return the median ratio."""
    for step in pair:
        step()
    times = []
    for turn in range(options.rounds):
        order = (0, 1) if turn % 2 else (1, 0)
        times.append({which: seconds(pair[which], options.device) for which in order})
    ours, theirs = (1e3 * statistics.median(t[which] for t in times) for which in (0, 1))
    ratio = statistics.median(t[1] / t[0] for t in times)
    peer = "uncached" if name in ("RoCL", "SwARo") else "lightly"
    verdict = "met" if ratio >= BARS[name] else "MISSED"
    print(
        f"{name:8s} ours {ours:8.1f} ms   {peer} {theirs:8.1f} ms   {ratio:.2f}x"
        f"   bar {BARS[name]:g} {verdict}"
    )
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", nargs="+", default=["small conv", "resnet18"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # for both sides
    for network in options.networks:
        batch = options.batch if network != "resnet18" or options.device != "cpu" else 16
        print(f"{network}, {batch} images")
        torch.manual_seed(0)
        images = torch.rand(batch, 3, 32, 32, device=options.device)
        for name, pair in contestants(network, images).items():
            compare(name, pair, options)


if __name__ == "__main__":
    main()
