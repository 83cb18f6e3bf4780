"""What training, clustering and attacks take on one GPU, in one call of at most ten minutes:

``PYTHONPATH=. python tests/gpu/measure.py --out FOLDER``

It needs torch, torchvision, numpy and scikit-learn, and of this project trainables/ alone. The
recipes for CIFAR-10 lie beside it in settings.json; ``--compose`` writes them anew, which needs all
of raystudy. Images are random. FOLDER/measured.md grows with every row, FOLDER/profile.txt has the
kernels of the largest step; ``--only compiled`` measures a part. With ``--device cpu
--small --images 64 --batch 16 --pixels 8`` it is a check that all of it runs, and says so.

An epoch is its preparation (SwARo's clustering) and as many steps as it has, each as long as the
mean of those made within some seconds; what came before, such as compiling, stands beside it.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from recipes import SETTINGS, STUDIES, build, compose, encoder_of, trainer_of
from torch import distributed as dist
from torch import multiprocessing, nn

from trainables import clustering
from trainables.attacks.balls import LinfBall
from trainables.attacks.pgd import PGD
from trainables.networks.folding import under_attack

STRETCH, ENOUGH_S = 8, 2.0  # steps between two looks at the clock; seconds of steps
# Seconds on an H100 in bfloat16: between perfect overlap and none, and at 250 TFLOP/s.
LIMITS = {
    ("simclr", 18): "0.53 to 0.87; 1.3",
    ("msr", 18): "0.73 to 1.18; 1.8",
    ("rocl", 18): "2.0 to 3.7; 6.7",
    ("swaro", 18): "2.0 to 3.7; 6.7",
    ("fast_at", 50): "2.0 to 2.7; 2.6",
    "k-means": "0.005 to 0.025",
    "PGD-20": "0.45 to 0.82; 1.8",
}
# By worth: precision, mode of torch.compile if any, depth, studies, and the seconds one needs.
WAYS = (
    ("bfloat16", None, 18, STUDIES, 10),
    ("bfloat16", None, 50, STUDIES, 15),
    ("float32", None, 18, STUDIES, 10),
    ("bfloat16", "default", 18, STUDIES, 60),
    ("bfloat16", "default", 50, ("fast_at", "simclr"), 90),
    ("bfloat16", "reduce-overhead", 18, ("simclr", "fast_at"), 60),
    ("float32", None, 50, STUDIES, 20),
    ("bfloat16", "reduce-overhead", 18, ("msr", "rocl", "swaro"), 60),
    ("float32", "default", 18, STUDIES, 60),
    ("bfloat16", "default", 50, ("msr", "rocl", "swaro"), 90),
)


@dataclass
class Measurement:
    """What is measured: a function that returns its seconds, and those before, if they tell.

    It is left out when fewer than `needs_s` seconds are left.
    """

    what: str
    how: str
    run: Callable[[], tuple[float, float | None]]
    needs_s: float
    limit: str = ""

    def row(self, left_s):
        """Return its row of the table."""
        if left_s < self.needs_s:
            cells = f"left out: {max(0, left_s):.0f} s left", ""
        else:
            try:
                seconds, before_s = self.run()
                cells = f"{seconds:.3g}", "" if before_s is None else f"{before_s:.1f}"
            except Exception as error:  # the others are wanted all the same
                cells = f"failed: {type(error).__name__}: {str(error)[:200]}".replace("\n", " "), ""
        torch.compiler.reset()  # and the memory of its CUDA graphs
        return f"| {' | '.join([self.what, self.how, *cells, self.limit])} |"


def now():
    """Return the time at which all that was asked of the GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def epoch_seconds(trainer, enough_s):
    """Return what an epoch takes, and what came before: compiling, first of all."""
    start = now()
    preparation = next(trainer.trial_run())
    stretches = trainer.stretches(STRETCH)
    next(stretches), next(stretches)
    first_s, updates, start = now() - start, trainer.cost()["cost/updates"], now()
    for _ in stretches:  # a small network may be at its last epoch before that
        if now() - start >= enough_s:
            break
    step_s = (now() - start) / (trainer.cost()["cost/updates"] - updates)
    return preparation + trainer.steps_per_epoch * step_s, first_s


def kmeans_seconds(options):
    """Return what clustering features takes, the second time."""
    features = F.normalize(torch.randn(options.images, 512, device=options.device), dim=1)
    clusters = min(1000, options.images // 2)
    for _ in range(2):
        start = now()
        clustering.kmeans(features, clusters, seed=0, backend="torch")
    return now() - start


def pgd_seconds(options, precision):
    """Return what PGD-20 on a fifth of the images takes, the second time."""
    network = build(encoder_of(options, 18))
    model = nn.Sequential(network, nn.Linear(network.num_features, 10)).to(options.device)
    model = model.to(memory_format=torch.channels_last)
    attack = PGD(ball=LinfBall(epsilon=8 / 255), step_size=2 / 255, steps=20)
    count, side = options.images // 5, options.pixels
    for _ in range(2):
        start = now()
        for images in torch.rand(count, 3, side, side, device=options.device).split(512):
            labels = torch.zeros(len(images), dtype=torch.int64, device=options.device)

            def misfit(x, labels=labels):
                with torch.autocast(x.device.type, torch.bfloat16, precision == "bfloat16"):
                    return F.cross_entropy(model(x), labels, reduction="none")

            with under_attack(model, "eval"):
                attack(misfit, images)
    return now() - start


def profile_seconds(options):
    """Write the kernels of a step of RoCL with ResNet-50, and return what that step takes."""
    stretches = trainer_of("rocl", options, depth=50).stretches(1)
    next(stretches), next(stretches)
    start = now()
    next(stretches)
    step_s = now() - start
    with torch.profiler.profile() as profiled:
        next(stretches)
        now()
    order = f"self_{options.device}_time_total"
    kernels = profiled.key_averages().table(sort_by=order, row_limit=15)
    (options.out / "profile.txt").write_text(kernels)
    return step_s, None


def rank_seconds(rank, ranks, options, meeting, found):
    """Put what an epoch of SimCLR takes on several ranks into `found`."""
    backend = "nccl" if options.device == "cuda" else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(rank)
    dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=ranks)
    seconds, _ = epoch_seconds(trainer_of("simclr", options), options.enough)
    if rank == 0:
        found.value = seconds
    dist.destroy_process_group()


def ranks_seconds(options, ranks):
    """Return what an epoch of SimCLR takes on several devices, the same images an update."""
    found = multiprocessing.get_context("spawn").Value("d", 0.0)
    with TemporaryDirectory() as folder:
        given = ranks, options, f"file://{folder}/meeting", found
        multiprocessing.spawn(rank_seconds, given, nprocs=ranks)
    return found.value


def measurements(options):
    """Yield all that can be measured here, what matters most first."""

    def epoch(study, depth, precision, mode):
        trainer = trainer_of(study, options, depth=depth, precision=precision, mode=mode)
        return epoch_seconds(trainer, options.enough)

    def of(function, *arguments):
        return lambda: (function(options, *arguments), None)

    clusters = "20 iterations in torch, float32"
    yield Measurement("k-means", clusters, of(kmeans_seconds), 5, LIMITS["k-means"])
    for how in ("bfloat16", "float32"):
        pgd = of(pgd_seconds, how)
        yield Measurement("PGD-20, ResNet-18", how, pgd, 20, LIMITS["PGD-20"])
    profiled = partial(profile_seconds, options)
    yield Measurement("rocl, ResNet-50, a step", "bfloat16; profile.txt", profiled, 20)
    if options.ranks > 1:
        both, what = of(ranks_seconds, options.ranks), f"on {options.ranks} devices"
        yield Measurement(f"simclr, ResNet-18, an epoch {what}", "bfloat16", both, 60)
    for precision, mode, depth, studies, needs_s in WAYS:
        if mode not in (None, "default") and options.backend != "inductor":
            continue
        how = precision + (f", compiled: {mode}" if mode else "")
        for study in studies:
            run = partial(epoch, study, depth, precision, mode)
            what, limit = f"{study}, ResNet-{depth}, an epoch", LIMITS.get((study, depth), "")
            yield Measurement(what, how, run, needs_s, limit)


def table_head(options):
    """Return the first lines of the table."""
    device = options.device
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU, a check that all runs"
    name += ", small networks for the ResNets" if options.small else ""
    return (
        f"{name}; {datetime.now(UTC):%Y-%m-%d}; torch {torch.__version__}; {options.images} random "
        f"images of {options.pixels} pixels, {options.batch} in an update. Limits are calculated "
        f"for an H100 in bfloat16: between perfect overlap and none; at 250 TFLOP/s.\n\n"
        "| what | how | seconds | before, once | limit |\n|---|---|---|---|---|\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--small", action="store_true", help="small networks for the ResNets")
    parser.add_argument("--only", default="", help="regular expression of names")
    parser.add_argument("--ranks", type=int, default=min(2, torch.cuda.device_count()))
    parser.add_argument("--backend", default="inductor", help="of torch.compile")
    parser.add_argument("--enough", type=float, default=ENOUGH_S, help="seconds of steps")
    parser.add_argument("--seconds", type=float, default=570, help="at most, of all")
    parser.add_argument("--compose", action="store_true")
    options = parser.parse_args()
    if options.compose:
        SETTINGS.write_text(compose())
        return
    options.out.mkdir(parents=True, exist_ok=True)
    started, table = time.perf_counter(), options.out / "measured.md"
    table.write_text(table_head(options))
    for measurement in measurements(options):
        if not re.search(options.only, f"{measurement.what}, {measurement.how}"):
            continue
        row = measurement.row(options.seconds - (time.perf_counter() - started))
        print(row, flush=True)
        with table.open("a") as file:
            file.write(row + "\n")


if __name__ == "__main__":
    main()
