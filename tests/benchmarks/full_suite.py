"""``evaluate suite=full`` beside torchattacks and the authors' AutoAttack. By hand:

``python tests/benchmarks/full_suite.py [--images 359] [--epochs 15] [--threads 2]``

One network, adversarially trained on the digits here, and one process: the suite, then a peer of
each attack with the same radius, steps and starts, all on all images at once. AutoAttack is given
what the suite's own APGD has left, as in the suite. Printed are seconds, their ratio, and the
accuracy either leaves. What has no peer (SLIDE, the masking checks) is left out of both sums.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import time
from dataclasses import replace

import torch
import torchattacks
from pyautoattack import AutoAttack

from raystudy.config import compose
from raystudy.trial.build import build_suite, build_trainer, load_splits
from trainables.memory import keep_freed_memory
from trainables.protocols.as_trained import AsTrained
from trainables.suite.suite import Measurement


def network(epochs):
    """Return the trained method and its images."""
    settings = compose.load("at", [f"max_epochs={epochs}", "device=cpu"])
    splits = load_splits(settings)
    trainer = build_trainer(settings, splits)
    for _ in trainer.epochs():
        pass
    return settings, trainer.method.eval(), splits


def peers(model, linf, l2, l1):
    """Return what does the work of each attack of the suite, by its name."""

    def several(make, count):
        return torchattacks.MultiAttack([make() for _ in range(count)])

    def official(norm, radius):
        attack = AutoAttack(model, norm=norm, eps=radius, seed=0)
        return lambda images, labels: attack.run_standard_evaluation(
            images, labels, batch_size=len(labels)
        )[0]

    return {
        "fgsm_linf": torchattacks.FGSM(model, linf),
        "pgd20_linf": torchattacks.PGD(model, linf, linf / 10, 20),
        "pgd50x10_linf": several(lambda: torchattacks.PGD(model, linf, linf / 4, 50), 10),
        "apgd_ce_linf": torchattacks.APGD(model, eps=linf, steps=100),
        "apgd_t_linf": torchattacks.APGDT(model, eps=linf, steps=100),
        "square_linf": torchattacks.Square(model, eps=linf, n_queries=5000),
        "autoattack_linf": official("Linf", linf),
        "pgd20_l2": torchattacks.PGDL2(model, l2, l2 / 8, 20),
        "pgd20x10_l2": several(lambda: torchattacks.PGDL2(model, l2, l2 / 8, 20), 10),
        "autoattack_l2": official("L2", l2),
        "autoattack_l1": official("L1", l1),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=359)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as `evaluate` does; it serves all
    settings, method, splits = network(options.epochs)
    radii = settings.data.epsilon
    suite = build_suite(compose.load("at", ["+suite=full"]))
    suite = replace(
        suite,
        protocols={"as_trained": AsTrained()},
        checks=None,
        max_images=options.images,
        batch_size=options.images,
    )
    test = suite.images(splits)
    images, labels = test.pixels(slice(None)), test.labels
    everyone = peers(method, radii.linf, radii.l2, radii.l1)
    suite = replace(suite, attacks={name: suite.attacks[name] for name in everyone})
    measurement = Measurement(suite, method.encoder, splits, head=method.head)
    for _ in measurement.steps():
        pass
    found = measurement.results()["as_trained"]
    theirs = {}
    for name, peer in everyone.items():
        start = time.perf_counter()
        adversarial = peer(images, labels)
        theirs[name] = time.perf_counter() - start
        with torch.no_grad():
            right = method(adversarial).argmax(dim=1) == labels
        left = found["attacks"][name]["right"][0].float().mean()
        show(name, found["seconds"][name], theirs[name])
        print(f"{'':16s} accuracy {left:.4f}, {(right & found['clean']).float().mean():.4f}")
    show("all", sum(found["seconds"][name] for name in theirs), sum(theirs.values()))


def show(name, ours, theirs):
    print(
        f"{name:16s} ours {ours:7.2f} s, theirs {theirs:7.2f} s, ratio {theirs / ours:5.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
