"""Functions of many small kernels, which a compiled training step runs as one or two."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

FUSIBLE: list[Callable[..., Any]] = []
_in_place_of: Mapping[Callable[..., Any], Callable[..., Any]] = {}


def fusible(function: Function) -> Function:
    """Let compiled training steps compile a function.

    It takes tensors and what stays the same from step to step, draws nothing, changes no argument,
    and has nothing for which the compiler would have to leave the graph. Gradients pass it.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **settings: Any) -> Any:
        return _in_place_of.get(function, function)(*arguments, **settings)

    FUSIBLE.append(function)
    return call  # type: ignore[return-value]


@contextmanager
def in_place_of(compiled: Mapping[Callable[..., Any], Callable[..., Any]]) -> Iterator[None]:
    """Call others in the place of fusible functions."""
    global _in_place_of
    before, _in_place_of = _in_place_of, compiled
    try:
        yield
    finally:
        _in_place_of = before
