"""In which precision numbers are multiplied."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]


def refuse_unknown(what: str, precision: str) -> None:
    """Refuse a precision that there is not."""
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"{what} must be float32 or bfloat16, got '{precision}'.")


def arithmetic(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Have networks multiply in a precision; weights stay float32.

    What is asked to be `exact` inside stays so.
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def exact(device: torch.device) -> AbstractContextManager[object]:
    """Keep numbers as precise as they are, whatever `arithmetic` is around."""
    has_any = torch.amp.is_autocast_available(device.type)  # not on every device
    return torch.autocast(device.type, enabled=False) if has_any else nullcontext()
