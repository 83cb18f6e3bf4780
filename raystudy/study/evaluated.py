"""What `raystudy evaluate` left in a study's folder, read back."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT = 2  # 1 hashed whole paths of classes, 2 hashes their names: a class may move
CONTEXT = ("data", "data_fingerprint", "split", "images", "seed")


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
    text = json.dumps([class_names(settings), epsilon, dict(context)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def class_names(plain: Any) -> Any:
    """Return the same settings with each ``_target_`` as the name of its class alone."""
    if isinstance(plain, Mapping):
        return {
            key: value.rpartition(".")[2] if key == "_target_" else class_names(value)
            for key, value in plain.items()
        }
    return [class_names(one) for one in plain] if isinstance(plain, list) else plain


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
