"""Rungs of successive halving: the epochs at which trials are compared."""

import itertools
from collections.abc import Mapping, Sequence

from omegaconf import DictConfig

from raystudy.config import compose, override

# Settings up to which all trials train alike, or not yet comparably: in epochs, or as a share of
# max_epochs.
IN_EPOCHS = ("switch_off", "queue_start", "frozen_epochs")


AS_SHARE = ("warmup",)


SAME_FOR_ALL = ("lr_schedule", "search")  # a warm-up of the learning rate hides no setting


def epoch_of(rung: int, min_resource: int, reduction_factor: int) -> int:
    """Return the epoch of a rung, counted from 0."""
    return int(min_resource * reduction_factor**rung)


def of_scheduler(settings: DictConfig) -> list[int]:
    """Return the epochs below the last at which successive halving compares trials."""
    recipe = settings.trial_scheduler
    factor = recipe.get("reduction_factor")
    if factor is None or not isinstance(recipe.get("min_resource"), int):
        return []
    at = (
        epoch_of(rung, recipe.min_resource, factor)
        for rung in itertools.count(recipe.get("min_early_stopping_rate", 0))
    )
    return list(itertools.takewhile(lambda epoch: epoch < settings.max_epochs, at))


def alike_until(settings: DictConfig, params: Sequence[Mapping[str, object]]) -> dict[str, float]:
    """Return each setting before whose epoch trials are no match, and the latest such epoch.

    Parameters
    ----------
    settings : DictConfig
    params : sequence of mapping
        Of each trial; where the setting is searched the latest epoch of any trial counts.
    """
    found = {}
    for path, value in compose.flatten(settings).items():
        last = path.rsplit(".", 1)[-1]
        if last not in (*IN_EPOCHS, *AS_SHARE) or override.node_of(path) in SAME_FOR_ALL:
            continue
        if f"method.{path}" in found or override.node_of(path) == "method":
            continue
        tried = [own[path] for own in params if path in own] or [value]
        epochs = [
            float(v) * (settings.max_epochs if last in AS_SHARE else 1)
            for v in tried
            if isinstance(v, (int, float))
        ]
        if epochs and max(epochs) > 0:
            found[path] = max(epochs)
    return found


def blind(settings: DictConfig, params: Sequence[Mapping[str, object]], at: Sequence[int]) -> str:
    """Return which rungs come before a setting acts that `params` tried; empty if none does."""
    late = alike_until(settings, params)
    early = {
        path: [epoch for epoch in at if epoch < until]
        for path, until in late.items()
        if at and at[0] < until
    }
    return " ".join(
        f"The rung{'s' if len(epochs) > 1 else ''} at epoch {', '.join(map(str, epochs))} "
        f"cannot see {path} yet, which acts up to epoch {late[path]:.4g}: raise min_epochs."
        for path, epochs in early.items()
    )
