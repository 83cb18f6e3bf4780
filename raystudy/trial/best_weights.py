"""The weights of a trial's best epochs: by each objective, among those that are feasible."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from raystudy.config import constraint
from raystudy.config.spec import Objective, StudySpec
from raystudy.storage import checkpoint


class BestWeights:
    """Keeps one file for each objective, beside the last checkpoint.

    ``best.safetensors`` is of the epoch that is best by the first objective,
    ``best-robust_accuracy.safetensors`` of the one that is best by ``val/robust_accuracy``, a
    further one. An epoch beyond the constraints gives way to any that exceeds them less.

    Parameters
    ----------
    spec : StudySpec
    folder : Path
        Of the trial.

    Attributes
    ----------
    state : dict
        By objective: the best epoch, its value, and by how much it exceeds the constraints; plain
        values for a checkpoint.
    """

    def __init__(self, spec: StudySpec, folder: Path) -> None:
        self.state: dict[str, dict[str, Any]] = {}
        self._spec = spec
        self._folder = folder

    def improved(self, epoch: int, metrics: Mapping[str, float]) -> list[Path]:
        """Return the files whose weights those of this epoch shall replace, and remember it.

        An epoch that was not evaluated replaces none.
        """
        if any(metric not in metrics for metric in self._spec.metrics):
            return []
        beyond = constraint.violation(self._spec.constraints, metrics)
        replaced = []
        for objective, path in self.paths().items():
            value, before = metrics[objective.metric], self.state.get(objective.metric)
            if not math.isfinite(value):
                continue
            if before is None or _beats(objective, (beyond, value), before):
                self.state[objective.metric] = {"epoch": epoch, "value": value, "beyond": beyond}
                replaced.append(path)
        return replaced

    def paths(self) -> dict[Objective, Path]:
        """Return each objective's file."""
        return {
            objective: self._folder / file_name(self._spec.objectives, objective)
            for objective in self._spec.objectives
        }


def file_name(objectives: Sequence[Objective], objective: Objective) -> str:
    """Return the name of an objective's file in a trial's folder."""
    if objective == objectives[0]:
        return "best.safetensors"
    return f"best-{objective.metric.removeprefix('val/').replace('/', '-')}.safetensors"


def save(method: nn.Module, paths: Sequence[Path]) -> None:
    """Write a method's weights to each of these files."""
    for path in paths:
        checkpoint.save_weights(method, path)


def _beats(objective: Objective, now: tuple[float, float], before: Mapping[str, float]) -> bool:
    beyond, value = now
    if beyond != before["beyond"]:
        return beyond < before["beyond"]
    return objective.is_better(value, than=before["value"])
