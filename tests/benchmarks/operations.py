"""Operations of one training step outside the encoder. By hand:

``PYTHONPATH=tests/support python tests/benchmarks/operations.py [--compiled] [STUDY ...]``

Each recipe for CIFAR-10 with ResNet-18 on torch's meta device, so that nothing is computed; attacks
take two steps. Printed are all operations that torch dispatches and, of those, the ones that are a
kernel on a GPU (neither views nor allocations). The encoder's own are left out, its weights'
updates are not. With a study's name, its operations by name. With --compiled also the kernels of
``trainer.compile=true``: those outside fusible functions, and for each call of one as many as
inductor launches by the code it writes for GPUs, its gradient's included. That needs no GPU, as
none of that code is run.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import functools

import torch
from count_operations import of_step
from on_meta import settings_of, trainer_of
from torch._dynamo.utils import counters
from torch._inductor import config, metrics
from torch._inductor.async_compile import AsyncCompile
from torch.utils import _triton
from torch.utils._python_dispatch import _disable_current_modes

from raystudy.config import catalogue


class Uncompiled:
    """What stands where a compiled Triton kernel would."""

    def run(self, *arguments, **settings):
        """Compute nothing."""


def write_triton():
    """Let inductor write its code for GPUs, of tensors on a CPU, and nothing compile it."""
    config.cpu_backend = "triton"
    config.fx_graph_cache = False  # what is taken from it writes no code
    AsyncCompile.triton = lambda *_, **__: Uncompiled()
    _triton.triton_hash_with_backend = lambda: "none"


def launches_of(function, arguments, settings):
    """Return the launches of a fusible function and of its gradient."""
    values = [*arguments, *settings.values()]
    key = tuple(
        (v.dtype, v.requires_grad, *v.shape) if isinstance(v, torch.Tensor) else v for v in values
    )
    return _launches_of(function, len(arguments), tuple(settings), key)


@functools.cache
def _launches_of(function, arguments, names, key):
    with _disable_current_modes(), torch.enable_grad():
        values = [
            torch.ones(v[2:], dtype=v[0], requires_grad=v[1]) if isinstance(v, tuple) else v
            for v in key
        ]
        settings = dict(zip(names, values[arguments:], strict=True))
        torch._dynamo.reset()
        _written()
        found = torch.compile(function, dynamic=False)(*values[:arguments], **settings)
        forward = _written()
        found = found if isinstance(found, tuple) else (found,)
        slopes = {value: torch.ones_like(value) for value in found if value.requires_grad}
        if slopes:
            wanted = [v for v in values if isinstance(v, torch.Tensor) and v.requires_grad]
            torch.autograd.grad([*slopes], wanted, [*slopes.values()], allow_unused=True)
        return forward, _written()


def _written():
    """Return how many launches inductor has written since it was last asked."""
    number = metrics.generated_kernel_count + counters["inductor"]["extern_calls"]
    metrics.reset()
    counters.clear()
    return number


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("studies", nargs="*")
    options = parser.parse_args()
    if options.compiled:
        write_triton()
    for study in options.studies or catalogue.study_names():
        settings = settings_of(study, "encoder=resnet18", "trainer.clip_grad_norm=null")
        operations = of_step(trainer_of(settings))
        everything, kernels = (
            sum(counted.values()) for counted in (operations.by_name, operations.kernels)
        )
        found = of_step(trainer_of(settings), launches_of) if options.compiled else None
        compiled = f", compiled {found.kernels.total():6d}" if found else ""
        print(f"{study:16s} {everything:6d} operations, {kernels:6d} of them kernels{compiled}")
        if options.studies:
            for counted in filter(None, (operations, found)):
                names = (f"{n} {name}" for name, n in counted.kernels.most_common())
                print("  " + ", ".join(names))


if __name__ == "__main__":
    main()
