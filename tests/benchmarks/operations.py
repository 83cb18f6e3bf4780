"""Operations of one training step outside the encoder. By hand:

``PYTHONPATH=tests/support python tests/benchmarks/operations.py [--compiled] [STUDY ...]``

Each recipe for CIFAR-10 with ResNet-18 on torch's meta device, so that nothing is computed; attacks
take two steps. Printed are all operations that torch dispatches and, of those, the ones that are a
kernel on a GPU (neither views nor allocations). The encoder's own are left out, its weights'
updates are not. With a study's name, its operations by name. With --compiled also the kernels of
``trainer.compile=true``: those outside fusible functions, and for each call of one as many as
inductor makes of it, compiled for the CPU.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import functools

import torch
from count_operations import of_step
from on_meta import settings_of, trainer_of
from torch._inductor import config, metrics

from raystudy.config import catalogue


def as_compiled(operations, function):
    """Return a stand-in that counts a fusible function's kernels as inductor makes them."""

    def call(*arguments):
        with operations.paused():
            result = function(*arguments)
        key = tuple((a.dtype, *a.shape) if isinstance(a, torch.Tensor) else a for a in arguments)
        operations.kernels["compiled"] += kernels_of(function, key)
        return result

    return call


@functools.cache
def kernels_of(function, key):
    """Return how many kernels inductor makes of a function for such tensors."""
    given = [torch.ones(a[1:], dtype=a[0]) if isinstance(a, tuple) else a for a in key]
    metrics.reset()
    with torch.no_grad(), torch.utils._python_dispatch._disable_current_modes():
        torch._dynamo.reset()
        torch.compile(function, dynamic=False)(*given)
    return metrics.generated_kernel_count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("studies", nargs="*")
    options = parser.parse_args()
    config.fx_graph_cache = False  # what is taken from it counts no kernels
    for study in options.studies or catalogue.study_names():
        settings = settings_of(study, "encoder=resnet18", "trainer.clip_grad_norm=null")
        operations = of_step(trainer_of(settings))
        everything, kernels = (
            sum(counted.values()) for counted in (operations.by_name, operations.kernels)
        )
        compiled = ""
        if options.compiled:
            found = of_step(trainer_of(settings), as_compiled).kernels.total()
            compiled = f", compiled {found:6d}"
        print(f"{study:16s} {everything:6d} operations, {kernels:6d} of them kernels{compiled}")
        if options.studies:
            print("  " + ", ".join(f"{n} {name}" for name, n in operations.kernels.most_common()))


if __name__ == "__main__":
    main()
