"""Count what a training step asks of the device outside the encoder.

On a GPU every operation is a kernel to launch, or the time in which its shape is worked out. Here
tensors are on torch's meta device and an encoder is a stand-in that costs nothing: it has the
shapes and the weights of the real one, and its gradients come from nowhere. What several passes
through it give to a weight's gradient, and batch norms multiplied into weights under attack, are
its own.
"""

import collections
from contextlib import contextmanager

import torch
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.fusible import FUSIBLE, in_place_of
from trainables.networks import folding
from trainables.networks.encoder import Encoder

# Neither compute: allocations, and what the host notes or looks up.
NO_KERNELS = ("empty", "new_empty", "detach", "profiler::", "promote_types")


class Operations(TorchDispatchMode):
    """Count operations that torch dispatches.

    Attributes
    ----------
    by_name : Counter of str
        All of them.
    kernels : Counter of str
        Those among them that compute: neither views nor allocations.
    """

    def __init__(self):
        super().__init__()
        self.by_name, self.kernels = collections.Counter(), collections.Counter()
        self.is_paused = False
        self.encoders_with_gradients = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not self.is_paused:
            name = func._schema.name.removeprefix("aten::")
            self.by_name[name] += 1
            if not (func.is_view or name.startswith(NO_KERNELS)):
                self.kernels[name] += 1
        return func(*args, **(kwargs or {}))

    def skip_encoders_of(self, module):
        """Put in the place of each encoder's forward one of its shape that is not counted."""
        for encoder in module.modules():
            if isinstance(encoder, Encoder):
                encoder.forward = self._stand_in(encoder)

    @contextmanager
    def paused(self):
        """Count nothing."""
        before, self.is_paused = self.is_paused, True
        yield
        self.is_paused = before

    def _stand_in(self, encoder):
        def forward(images):
            return _Nothing.apply(self, encoder, images, *encoder.parameters())

        return forward


class _Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, operations, encoder, images, *weights):
        ctx.operations, ctx.encoder = operations, encoder
        ctx.save_for_backward(images, *weights)
        with operations.paused():
            return images.new_empty(len(images), encoder.num_features)

    @staticmethod
    def backward(ctx, _):
        wanted = list(ctx.needs_input_grad[2:])
        if ctx.encoder in ctx.operations.encoders_with_gradients:
            wanted[1:] = [False] * len(wanted[1:])
        elif any(wanted[1:]):
            ctx.operations.encoders_with_gradients.add(ctx.encoder)
        with ctx.operations.paused():
            made = [
                torch.empty_like(value) if needed else None
                for value, needed in zip(ctx.saved_tensors, wanted, strict=True)
            ]
        return None, None, *made


def of_step(trainer, launches_of=None):
    """Return what one update of a trainer on the meta device asks for, in its last epoch.

    Parameters
    ----------
    trainer : Trainer
    launches_of : callable (function, arguments, settings) -> (int, int), optional
        How many kernels a compiled fusible function is, and its gradient, which is asked for only
        if it has one. Without it nothing is compiled.
    """
    trainer.epoch = trainer.max_epochs - 1
    trainer.method.train()
    operations = Operations()
    operations.skip_encoders_of(trainer.method)
    trainer.method.before_epoch(trainer._train, trainer._progress(0))
    batch = next(iter(trainer._batches.epoch(trainer.epoch)))
    with _foreach_on_meta():
        trainer._update(batch, trainer._progress(0))  # the first one makes the optimizer's state
        operations.encoders_with_gradients.clear()
        others = {}
        if launches_of is not None:
            others = {f: _as_compiled(operations, f, launches_of) for f in FUSIBLE}
        with operations, _folding_paused(operations), in_place_of(others):
            trainer._update(batch, trainer._progress(1))
    return operations


def one(*_):
    """Have a fusible function be one kernel, and its gradient another."""
    return 1, 1


def _as_compiled(operations, function, launches_of):
    """Return a fusible function that counts as so many kernels, and its gradient."""

    def call(*arguments, **settings):
        places = [*enumerate(arguments), *settings.items()]
        given = [value for _, value in places if isinstance(value, torch.Tensor)]

        def run(*tensors):
            left = iter(tensors)
            filled = [next(left) if isinstance(v, torch.Tensor) else v for _, v in places]
            with operations.paused():
                return function(
                    *filled[: len(arguments)],
                    **dict(zip(settings, filled[len(arguments) :], strict=True)),
                )

        with operations.paused():
            forward, back = launches_of(function, arguments, settings)
        return _Compiled.apply(operations, run, forward, back, *given)

    return call


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, operations, run, forward, back, *given):
        ctx.operations, ctx.back = operations, back
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*given)
        operations.kernels["compiled"] += forward
        return run(*given)

    @staticmethod
    def backward(ctx, *_):
        ctx.operations.kernels["compiled"] += ctx.back
        with ctx.operations.paused():
            made = [
                torch.empty_like(value) if needed else None
                for value, needed in zip(ctx.saved_tensors, ctx.needs_input_grad[4:], strict=True)
            ]
        return None, None, None, None, *made


@contextmanager
def _folding_paused(operations):
    products = folding._products

    def uncounted(pairs):
        with operations.paused():
            return list(products(pairs))

    folding._products = uncounted
    yield
    folding._products = products


@contextmanager
def _foreach_on_meta():
    """Have optimizers handle all weights at once, as they do on a GPU."""
    devices = optimizer._get_foreach_kernels_supported_devices
    optimizer._get_foreach_kernels_supported_devices = lambda: [*devices(), "meta"]
    try:
        yield
    finally:
        optimizer._get_foreach_kernels_supported_devices = devices
