"""Means that stay on the device until they are asked for."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainables import distributed


@dataclass
class Means:
    """Running means of scalars by name."""

    totals: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, scalars: dict[str, Tensor]) -> None:
        """Take one value of each in; nothing is synchronised."""
        for name, value in scalars.items():
            self.totals[name] = self.totals.get(name, 0.0) + value.detach().float()
            self.counts[name] = self.counts.get(name, 0) + 1

    def over_ranks(self) -> dict[str, float]:
        """Copy everything from the device at once; names must agree on all ranks."""
        names = sorted(self.totals)
        if not names:
            return {}
        means = torch.stack([self.totals[name] / self.counts[name] for name in names])
        return dict(zip(names, distributed.mean_over_ranks(means).tolist(), strict=True))
