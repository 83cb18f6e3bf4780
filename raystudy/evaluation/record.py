"""The record of an evaluation as plain values: each number with its measurement settings."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from raystudy.config import scopes
from raystudy.config.scopes import Scope
from raystudy.evaluation.locate import Origin
from raystudy.storage.provenance import Provenance
from raystudy.study import command, evaluated
from trainables.data import fingerprint as data_fingerprint
from trainables.data.image_set import Splits
from trainables.evaluate.intervals import clopper_pearson
from trainables.suite.suite import Suite


def make_record(
    origin: Origin,
    suite: Suite,
    settings: DictConfig,
    splits: Splits,
    results: Mapping[str, Mapping[str, Any]],
    *,
    key: str,
    seconds: float,
    provenance: Provenance,
) -> dict[str, Any]:
    """Return the record of one network's measuring.

    Parameters
    ----------
    results : mapping
        `Measurement.results`.
    """
    recipe: dict[str, Any] = OmegaConf.to_container(settings.suite, resolve=True)  # type: ignore[assignment]
    images = len(suite.images(splits))
    context = {
        "data": settings.data.name,
        "data_fingerprint": data_fingerprint.fingerprint(splits),
        "split": suite.split,
        "images": images,
        "seed": suite.seed,
    }
    return {
        "format": evaluated.FORMAT,
        "key": key,
        **of_origin(origin),
        **context,
        "protocols": {
            name: _protocol(found, recipe, context, name) for name, found in results.items()
        },
        "suite": recipe,
        "seconds": round(seconds, 2),
        "provenance": asdict(provenance),
    }


def of_origin(origin: Origin) -> dict[str, Any]:
    """Return what a record says of the network."""
    return {
        "label": origin.label,
        "study": origin.study.id if origin.study else None,
        "trial": origin.number if origin.study else None,
        "weights": origin.weights.name,
        "config_id": _without_seed(origin),
        "command": _command(origin),
    }


def _command(origin: Origin) -> str:
    """Return what trains the network again, or measures it again if it is from elsewhere."""
    if origin.study:
        return command.train(origin.name, origin.overrides, origin.search_path)
    what = str(origin.weights) + (f":{origin.prefix.removesuffix('.')}" if origin.prefix else "")
    return command.evaluate(what, origin.overrides, origin.search_path)


def _without_seed(origin: Origin) -> str:
    """Return what networks share that differ in nothing but their seed."""
    same = sorted(scopes.without(origin.overrides, [Scope.SEED]))
    own = "" if origin.study else origin.weights.name
    return hashlib.sha256(json.dumps([origin.name, same, own]).encode()).hexdigest()[:12]


def _protocol(
    found: Mapping[str, Any], recipe: Mapping[str, Any], context: Mapping[str, Any], name: str
) -> dict[str, Any]:
    rows = [
        {
            "attack": attack,
            "norm": norm_of_recipe(recipe["attacks"][attack]),
            "epsilon": epsilon,
            **_share(right),
            "fingerprint": evaluated.fingerprint(recipe, context, name, attack, epsilon),
        }
        for attack, entry in found["attacks"].items()
        for epsilon, right in zip(entry["epsilons"], entry["right"], strict=True)
    ]
    return {
        "clean": {
            **_share(found["clean"]),
            "fingerprint": evaluated.fingerprint(recipe, context, name),
        },
        "robust": rows,
        "worst": _worst(found, recipe),
        "corrupted": [
            {
                "corruption": corruption,
                "severity": severity,
                **_share(right),
                "fingerprint": evaluated.fingerprint(
                    recipe, {**context, "corruption": corruption}, name, epsilon=severity
                ),
            }
            for corruption, rights in found["corrupted"].items()
            for severity, right in enumerate(rights, start=1)
        ],
        "warnings": dict(found["warnings"]),
        "evidence": _finite(found["evidence"]),
        "batch_size": found["batch_size"],
        "flattering": found["flattering"],
        "seconds": {task: round(spent, 3) for task, spent in found["seconds"].items()},
    }


def _finite(value: Any) -> Any:
    """Return the same values with None for numbers that JSON has no word for."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _worst(found: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the worst case over the attacks of one norm and radius, where there are several."""
    together: dict[tuple[str, float], list[Tensor]] = {}
    for attack, entry in found["attacks"].items():
        norm = norm_of_recipe(recipe["attacks"][attack])
        for epsilon, right in zip(entry["epsilons"], entry["right"], strict=True):
            together.setdefault((norm, epsilon), []).append(right)
    return [
        {"norm": norm, "epsilon": epsilon, "attacks": len(all_), **_share(_all(all_))}
        for (norm, epsilon), all_ in together.items()
        if len(all_) > 1
    ]


def _all(rights: list[Tensor]) -> Tensor:
    whole = rights[0]
    for right in rights[1:]:
        whole = whole & right
    return whole


def _share(right: Tensor) -> dict[str, Any]:
    hits = int(right.sum())
    value, low, high = clopper_pearson(hits, len(right))
    return {"right": hits, "images": len(right), "accuracy": value, "low": low, "high": high}


def norm_of_recipe(attack: Mapping[str, Any]) -> str:
    """Return ``linf``, ``l2`` or ``l1``."""
    name = str(attack["adversary"]["ball"]["_target_"]).rsplit(".", 1)[-1]
    return name.removesuffix("Ball").lower()
