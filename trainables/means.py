"""Means that stay on the device until they are asked for."""

from dataclasses import dataclass, field
from typing import Any

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

    def state(self) -> dict[str, Any]:
        """Return the sums of every rank, in plain values and a tensor; a collective call."""
        names = sorted(self.totals)
        sums = torch.stack([self.totals[name] for name in names]) if names else torch.zeros(0)
        everyones = distributed.gather(sums[None])
        return {
            "names": names,
            "counts": [self.counts[name] for name in names],
            "totals": everyones.cpu(),
        }

    @classmethod
    def of(cls, state: dict[str, Any], device: torch.device) -> "Means":
        """Return this rank's sums; an even share of them if there are other ranks now."""
        totals = state["totals"].to(device)
        same = len(totals) == distributed.world_size()
        own = totals[distributed.rank()] if same else totals.mean(dim=0)
        counts = dict(zip(state["names"], state["counts"], strict=True))
        return cls(dict(zip(state["names"], own.unbind(), strict=True)), counts)

    def over_ranks(self) -> dict[str, float]:
        """Copy everything from the device at once; names must agree on all ranks."""
        names = sorted(self.totals)
        if not names:
            return {}
        means = torch.stack([self.totals[name] / self.counts[name] for name in names])
        return dict(zip(names, distributed.mean_over_ranks(means).tolist(), strict=True))
