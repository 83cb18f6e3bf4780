"""Training steps with encoders compiled beside the same steps as they are. By hand:

``PYTHONPATH=tests/support python tests/benchmarks/compiled.py [STUDY ...]``
``[--encoder small_conv] [--images 64] [--pixels 32] [--rounds 6] [--mode default]``

Both sides train in one process, on one core, and take their steps in turn; what each takes is the
least CPU time of its steps, which other work on the machine changes little. Compiling is timed in
the first compiled step, by the clock, with nothing compiled before (a later process finds code in
inductor's cache). After how many steps it has paid is its seconds over those that a step saves.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import functools
import itertools
import time

import torch

from raystudy.config import catalogue, compose
from raystudy.trial.build import build_trainer
from trainables.data.image_set import ImageSet, Splits
from trainables.memory import keep_freed_memory

COUNTED, COMPILED = 1, 2  # steps that are no measure of the others: the first is made uncompiled


def trainer_of(study, options, *overrides):
    """Return a trainer of a study's recipe for CIFAR-10 on random images."""
    chosen = ["data=cifar10", f"encoder={options.encoder}", f"batch_size={options.images}"]
    settings = compose.load(study, [*chosen, "trainer.clip_grad_norm=null", *overrides])
    if "labels" in settings:
        settings.labels.fraction = 1.0  # of few images
    if "clusters" in settings:
        settings.clusters.num_clusters = 100
    total, side = options.images * (options.rounds + COMPILED), options.pixels
    labels = torch.arange(total) % 10
    train = ImageSet(torch.randint(256, (total, 3, side, side), dtype=torch.uint8), labels)
    return build_trainer(settings, Splits(train, train, train, tuple(map(str, range(10)))))


def measured(study, options):
    """Return seconds of a step, of a compiled one, and of compiling."""
    torch._dynamo.reset()
    compiled = "trainer.compile=true", f"trainer.compile_mode={options.mode}"
    sides = [steps(trainer_of(study, options, *how)) for how in ((), compiled)]
    pairs = itertools.islice(zip(*sides, strict=True), options.rounds + COMPILED)
    (_, eager), (clock, fast) = (list(zip(*side, strict=True)) for side in zip(*pairs, strict=True))
    return min(eager[COUNTED:]), min(fast[COMPILED:]), clock[COUNTED] - min(clock[COMPILED:])


def steps(trainer):
    """Yield the seconds of each step of an epoch, by the clock and of the CPU."""
    trainer.method.train()
    trainer.method.before_epoch(trainer._train, trainer._progress(0))
    for index, batch in enumerate(trainer._batches.epoch(0)):
        before = time.perf_counter(), time.process_time()
        update = functools.partial(trainer._update, batch, trainer._progress(index))
        trainer._cost.of_update(batch, update)
        yield time.perf_counter() - before[0], time.process_time() - before[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="*")
    parser.add_argument("--encoder", default="small_conv")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--mode", default="default")
    options = parser.parse_args()
    import torch._inductor.config

    torch.set_num_threads(1)
    keep_freed_memory()  # as a trial does
    torch._inductor.config.force_disable_caches = True
    print(f"{options.encoder}, {options.images} images of {options.pixels} pixels, {options.mode}")
    started = time.perf_counter()
    for study in options.studies or catalogue.study_names():
        eager, fast, compiling = measured(study, options)
        saved = eager - fast
        pays = f"after {compiling / saved:8,.0f} steps" if saved > 0 else "never"
        print(
            f"  {study:14s} {eager:7.3f} s a step, compiled {fast:7.3f} s, ratio "
            f"{eager / fast:.2f}; compiling {compiling:5.1f} s pays {pays}",
            flush=True,
        )
    print(f"  {time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
