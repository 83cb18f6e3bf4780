"""Two ranks on two cores beside one rank on one core. By hand:

``PYTHONPATH=tests/support python tests/benchmarks/ddp.py [--study simclr] [--images 64]``
``[--encoder resnet18] [--rounds 5] [--steps 3]``

Every rank has one thread, a core to itself and as many images of 32 x 32. In turn train one
process, two that know nothing of each other, and two ranks; printed are the median seconds a step
and two efficiencies: of one process and of two strangers, which share caches and memory too, over
two ranks. Both cores must be free. Gloo through the loopback device stands for a network; on hosts
of their own, ranks could not be moved to one another's core either. On Linux.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import itertools
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from ranks import Ranks

from raystudy.config import compose
from raystudy.trial.build import build_trainer
from trainables import distributed
from trainables.data.image_set import ImageSet, Splits
from trainables.memory import keep_freed_memory


def keep_to(core):
    """Keep this process to a core, with the threads that gloo has started already."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def seconds(cores, study, encoder, images, steps):
    """Return how long each step takes after the first one."""
    keep_to(cores[distributed.rank()])
    torch.set_num_threads(1)
    keep_freed_memory()  # as a trial does
    rows = images * distributed.world_size()
    settings = compose.load(study, ["data=cifar10", f"encoder={encoder}", f"batch_size={rows}"])
    total = rows * (steps + 1)
    train = ImageSet(torch.zeros(total, 3, 32, 32, dtype=torch.uint8), torch.arange(total) % 10)
    trainer = build_trainer(settings, Splits(train, train, train, tuple(map(str, range(10)))))
    trainer.method.train()
    trainer.method.before_epoch(train, trainer._progress(0))
    found = []
    for index, batch in enumerate(itertools.islice(trainer._batches.epoch(0), steps + 1)):
        started = time.perf_counter()
        trainer._update(batch, trainer._progress(index))
        found.append(time.perf_counter() - started)
    return found[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="simclr")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    asked = options.study, options.encoder, options.images, options.steps
    cores = sorted(os.sched_getaffinity(0))[:2]
    strangers, pair = [Ranks(1), Ranks(1)], Ranks(2)
    times = {name: [] for name in ("one process", "two strangers", "two ranks")}

    def both():
        with ThreadPoolExecutor() as threads:
            found = threads.map(
                lambda one, core: one.run(seconds, [core], *asked), strangers, cores
            )
            return [steps for (steps,) in found]

    ways = (
        lambda: strangers[0].run(seconds, cores, *asked),
        both,
        lambda: pair.run(seconds, cores, *asked),
    )
    for _ in range(options.rounds):
        for found, run in zip(times.values(), ways, strict=True):
            found += [max(step) for step in zip(*run(), strict=True)]
    medians = {name: statistics.median(found) for name, found in times.items()}
    print(f"{options.study}, {options.encoder}, {options.images} images a rank")
    for name, median in medians.items():
        efficiency = median / medians["two ranks"]
        print(f"  {name:14s} {median:.3f} s a step, efficiency of two ranks {efficiency:.2f}")


if __name__ == "__main__":
    main()
