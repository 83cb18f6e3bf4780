"""Checkpoints: written whole or not at all, loaded without running code from them."""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from raystudy.errors import UserError
from raystudy.storage import disk


def save(state: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values, replacing an older file only once all is on disk."""
    with disk.replacing(path) as file:
        torch.save(state, file)


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote, onto the CPU.

    Raises
    ------
    UserError
        If the file is damaged or holds anything but tensors and plain values.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(
            f"checkpoint {path} cannot be read ({str(error).splitlines()[0]}); remove it to start "
            f"the trial from its start."
        ) from error
    return state


@dataclass(frozen=True, kw_only=True)
class TrialCheckpoint:
    """What a trial continues from after its last finished epoch.

    Parameters
    ----------
    trainer : dict
        The trainer's own state, the method's in it.
    metrics : mapping of str to float
        Of that epoch.
    best : dict
        See `BestWeights.state`.
    machine : mapping of str to float
        See `Machine.state`.
    """

    trainer: dict[str, Any]
    metrics: Mapping[str, float]
    best: dict[str, Any]
    machine: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "TrialCheckpoint":
        """Read what `save` wrote.

        Raises
        ------
        UserError
            If the file is damaged, or holds something else.
        """
        state = load(path)
        try:
            found = cls(
                trainer=state["trainer"],
                metrics=state.get("metrics", {}),
                best=state.get("best", {}),
                machine=state.get("machine", {}),
            )
            found.method.keys()
        except (AttributeError, KeyError, TypeError):
            raise UserError(f"{path} is no checkpoint of a trial of raystudy's.") from None
        return found

    def save(self, path: Path) -> None:
        """Write it."""
        state = {"trainer": self.trainer, "metrics": dict(self.metrics), "best": self.best}
        save({**state, "machine": dict(self.machine)}, path)

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return int(self.trainer["epoch"])

    @property
    def is_inside(self) -> bool:
        """Whether part of another epoch is done."""
        return "within" in self.trainer

    @property
    def method(self) -> dict[str, Any]:
        """The state of what was trained."""
        weights: dict[str, Any] = self.trainer["method"]
        return weights


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's parameters and buffers as safetensors; state that is no tensor stays out."""
    tensors = {
        name: value.detach().cpu().contiguous()
        for name, value in module.state_dict().items()
        if isinstance(value, Tensor)
    }
    with disk.replacing(path) as file:
        file.write(safetensors_bytes(tensors))
