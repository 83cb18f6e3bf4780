"""Stored evaluations in a study's folder."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

FORMAT = 2  # 1 hashed whole paths of classes, 2 hashes their names: a class may move
UNLESS_SAID = "float32"  # the precision of records that name none
CONTEXT = ("data", "data_fingerprint", "split", "images", "seed")
# What classes were called, and where they were, in records of format 1.
RENAMED = {"Assault": "RobustnessCurve", "HonestyChecks": "MaskingChecks"}
MODULES_OF_FORMAT_1 = {
    "AdversarialFineTuning": "trainables.evaluate.adversarial_finetuning",
    "AsTrained": "trainables.evaluate.as_trained",
    "Assault": "trainables.evaluate.withstanding",
    "FineTuning": "trainables.evaluate.finetuning",
    "Fit": "trainables.evaluate.fitting",
    "Grid": "trainables.evaluate.grid",
    "HonestyChecks": "trainables.evaluate.honesty",
    "LabelShare": "trainables.evaluate.label_share",
    "LinearEvaluation": "trainables.evaluate.linear_evaluation",
    "NearestNeighbours": "trainables.evaluate.neighbours",
    "NonParametric": "trainables.evaluate.neighbours",
    "Quick": "trainables.evaluate.quick",
    "Suite": "trainables.evaluate.suite",
    "Transfer": "trainables.evaluate.transfer",
}


CONTEXT = ("data", "data_fingerprint", "split", "images", "seed")  # of a record


def fingerprint(
    recipe: Mapping[str, Any],
    context: Mapping[str, Any],
    protocol: str,
    attack: str | None = None,
    epsilon: float | None = None,
) -> str:
    """Return what two numbers share only if they were measured alike.

    Of protocol, attack with all its settings, radius, the very images, split and seed.
    """
    settings = [recipe["protocols"][protocol], recipe["attacks"][attack] if attack else None]
    if attack and recipe.get("precision", UNLESS_SAID) != UNLESS_SAID:
        settings.append(recipe["precision"])
    text = json.dumps([class_names(settings), epsilon, dict(context)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def mean_corruption_error(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of images classified wrong, a mean over corruptions and severities."""
    return 1 - fmean(row["accuracy"] for row in rows)


def class_names(plain: Any) -> Any:
    """Return the same settings with each ``_target_`` as the name of its class alone."""
    return _with_targets(plain, lambda path: RENAMED.get(_class(path), _class(path)))


def paths_of_format_1(plain: Any) -> Any:
    """Return the same settings with each ``_target_`` as records of format 1 have it."""
    former = {new: old for old, new in RENAMED.items()}

    def before(path: str) -> str:
        old = former.get(_class(path), _class(path))
        return f"{MODULES_OF_FORMAT_1[old]}.{old}" if old in MODULES_OF_FORMAT_1 else path

    return _with_targets(plain, before)


def _class(path: str) -> str:
    return path.rpartition(".")[2]


def _with_targets(plain: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(plain, Mapping):
        return {
            key: rename(value) if key == "_target_" else _with_targets(value, rename)
            for key, value in plain.items()
        }
    return [_with_targets(one, rename) for one in plain] if isinstance(plain, list) else plain


def read(path: Path) -> dict[str, Any]:
    """Return a record from disk, one of format 1 with today's fingerprints."""
    found: dict[str, Any] = json.loads(path.read_text())
    if found["format"] == 1:
        context = {name: found[name] for name in CONTEXT}
        for name, protocol in found["protocols"].items():
            protocol["clean"]["fingerprint"] = fingerprint(found["suite"], context, name)
            for row in protocol["robust"]:
                row["fingerprint"] = fingerprint(
                    found["suite"], context, name, row["attack"], row["epsilon"]
                )
    return found
