"""Count what a training step asks of the device outside the encoder.

On a GPU every operation is a kernel to launch, or the time in which its shape is worked out. Here
tensors are on torch's meta device and an encoder is a stand-in that costs nothing: it has the
shapes and the weights of the real one, and its gradients come from nowhere.
"""

import collections
from contextlib import contextmanager

import torch
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.networks.encoder import Encoder


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

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not self.is_paused:
            name = func._schema.name.removeprefix("aten::")
            self.by_name[name] += 1
            if not (func.is_view or name.startswith(("empty", "new_empty", "detach"))):
                self.kernels[name] += 1
        return func(*args, **(kwargs or {}))

    def skip_encoders_of(self, module):
        """Put in the place of each encoder's forward one of its shape that is not counted."""
        for encoder in module.modules():
            if isinstance(encoder, Encoder):
                encoder.forward = self._stand_in(encoder)

    def _stand_in(self, encoder):
        def forward(images):
            return _Nothing.apply(self, encoder.num_features, images, *encoder.parameters())

        return forward


class _Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, operations, width, images, *weights):
        ctx.operations = operations
        ctx.save_for_backward(images, *weights)
        operations.is_paused = True
        features = images.new_empty(len(images), width)
        operations.is_paused = False
        return features

    @staticmethod
    def backward(ctx, _):
        ctx.operations.is_paused = True
        made = [
            torch.empty_like(value) if wanted else None
            for value, wanted in zip(ctx.saved_tensors, ctx.needs_input_grad[2:], strict=True)
        ]
        ctx.operations.is_paused = False
        return None, None, *made


def of_step(trainer):
    """Return what one update of a trainer on the meta device asks for, in its last epoch."""
    trainer.epoch = trainer.max_epochs - 1
    trainer.method.train()
    operations = Operations()
    operations.skip_encoders_of(trainer.method)
    trainer.method.before_epoch(trainer._train, trainer._progress(0))
    batch = next(iter(trainer._batches.epoch(trainer.epoch)))
    with _foreach_on_meta():
        trainer._update(batch, trainer._progress(0))  # the first one makes the optimizer's state
        with operations:
            trainer._update(batch, trainer._progress(1))
    return operations


@contextmanager
def _foreach_on_meta():
    """Have optimizers handle all weights at once, as they do on a GPU."""
    devices = optimizer._get_foreach_kernels_supported_devices
    optimizer._get_foreach_kernels_supported_devices = lambda: [*devices(), "meta"]
    try:
        yield
    finally:
        optimizer._get_foreach_kernels_supported_devices = devices
