"""Encoders, augmentation and losses compiled for training steps."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import nn

from trainables.fusible import FUSIBLE, in_place_of
from trainables.networks.encoder import Encoder

CompileMode = Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]
WAYS = 256  # to run an encoder, or what is fusible


class CompiledStep:
    """A method's encoders and what is fusible, compiled for training steps and plain otherwise.

    Steps meet the same shapes again and again, so each shape is compiled for: what serves all
    shapes is two to three times as slow on CPUs, and no graph that a GPU could replay. Evaluation
    meets others, a few times each; to compile for those would take longer than it saves.

    A step may call the encoders as often as it likes and keep what they return until it ends.
    What it keeps longer, gradients of the encoders included, CUDA graphs overwrite in the next.
    Of fusible functions there are none: a step may keep its views.

    Parameters
    ----------
    method : nn.Module
        Where it will be trained, so that its weights stay where CUDA graphs find them.
    backend, mode : str
        Of ``torch.compile``.
    """

    def __init__(self, method: nn.Module, *, backend: str, mode: CompileMode) -> None:
        _refuse_unknown_backend(backend)
        if backend == "inductor":
            device = next(method.parameters()).device
            if (missing := missing_compiler(device.type)) is not None:
                raise ValueError(f"trainer.compile=true {missing}.")
        _let_trials_compile()
        self._calls = []
        for module in method.modules():
            if isinstance(module, Encoder):  # the target of a momentum method is another
                module.compile(backend=backend, mode=mode, dynamic=False)
                self._calls.append((module, module._compiled_call_impl))
                module._compiled_call_impl = None
        self._fused = {
            function: torch.compile(function, backend=backend, dynamic=False)
            for function in FUSIBLE
        }

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Make a step with what was compiled."""
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        for encoder, compiled in self._calls:
            encoder._compiled_call_impl = compiled
        try:
            with in_place_of(self._fused):
                yield
        finally:
            for encoder, _ in self._calls:
                encoder._compiled_call_impl = None


def refuse_mode(backend: str, mode: str) -> None:
    """Raise a ValueError if torch or its backend has no such mode."""
    if mode not in get_args(CompileMode):
        raise ValueError(
            f"trainer.compile_mode must be one of {', '.join(get_args(CompileMode))}, got '{mode}'."
        )
    if mode != "default" and backend != "inductor":
        raise ValueError(
            f"trainer.compile_mode={mode} needs trainer.compile_backend=inductor, got '{backend}'; "
            f"other backends have trainer.compile_mode=default only."
        )


def missing_compiler(device: str) -> str | None:
    """Return which program torch's inductor looks for on this machine and does not find.

    Parameters
    ----------
    device : str
        ``cpu``, for which it writes C++, or ``cuda``, for which Triton builds its launchers in C.
    """
    if device == "cpu":
        variable, names = "CXX", ["clang++" if sys.platform == "darwin" else "g++"]
    else:
        variable, names = "CC", ["gcc", "clang"]
    names = [os.environ[variable]] if os.environ.get(variable) else names
    if any(shutil.which(name.split()[0]) for name in names):
        return None
    return (
        f"needs a compiler, and there is no {' or '.join(names)} here; install one, or name yours "
        f"in the variable {variable}"
    )


def _refuse_unknown_backend(name: str) -> None:
    known = torch.compiler.list_backends(exclude_tags=())
    if name not in known:
        raise ValueError(
            f"trainer.compile_backend must be one of {', '.join(known)}, got '{name}'."
        )


def _let_trials_compile() -> None:
    """Let the compiler meet an encoder's code in more ways than eight before it gives up.

    A process that runs many trials compiles for every kind of encoder, mode and batch; trials
    alike share what was compiled.
    """
    import torch._dynamo  # takes seconds

    torch._dynamo.config.recompile_limit = WAYS
    torch._dynamo.config.accumulated_recompile_limit = 8 * WAYS
