"""How a study's measures were taken: numbers that were taken unlike are not compared."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from raystudy import config
from raystudy.errors import UserError
from raystudy.stored import StoredStudy

SPEED_ONLY = ("batch_size", "root", "download", "cache_dir")  # leave the numbers as they are


def how(study: StoredStudy) -> dict[str, Any]:
    """Return what decides what a validation measure means: evaluators, attacks, data, split."""
    _, settings = study.composed
    found = {f"evaluate.{path}": v for path, v in config.flatten(settings.evaluate).items()}
    found["data.name"] = settings.data.name
    found |= {f"data.splits.{path}": v for path, v in config.flatten(settings.data.splits).items()}
    return {path: v for path, v in found.items() if path.rpartition(".")[2] not in SPEED_ONLY}


def fingerprint(study: StoredStudy) -> str:
    """Return what two studies share only if they were measured alike."""
    text = json.dumps(how(study), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def refuse_unlike(studies: Sequence[StoredStudy]) -> None:
    """Raise if the studies' measures mean different things.

    Raises
    ------
    UserError
        Names the first setting that differs.
    """
    first = how(studies[0])
    for study in studies[1:]:
        other = how(study)
        for path in dict.fromkeys([*first, *other]):
            one, two = (_word(found, path) for found in (first, other))
            if one != two:
                raise UserError(
                    f"{studies[0].id} and {study.id} were not measured alike: {path} is {one} in "
                    f"the one and {two} in the other; --force shows them side by side all the same."
                )


def _word(found: dict[str, Any], path: str) -> str:
    return str(found[path]) if path in found else "absent"
