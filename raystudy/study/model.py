"""A trained network on its way to a registry of models."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained network for a registry of models.

    Parameters
    ----------
    name : str
        In the registry; each of that name is a version.
    network : nn.Module
        On the CPU, in eval mode; takes images, gives features.
    shape : tuple of int
        Of an image (C, H, W), whose values are float32 in [0, 1].
    tags : mapping of str to str
    note : str
        What its page says of it.
    id : str
        By which it is found again.
    """

    name: str
    network: "nn.Module"
    shape: tuple[int, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
