"""A study's measurement settings: numbers measured differently are not compared."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from raystudy.config import compose, scopes
from raystudy.config.scopes import Scope
from raystudy.search import axes
from raystudy.study.evaluated import UNLESS_SAID
from raystudy.study.stored import StoredStudy

VALIDATION = "the validation images"
PRECISION = "trainer.precision"
SAME_NUMBERS = (Scope.SPEED, Scope.IMAGES)  # leave the numbers as they are


def how(study: StoredStudy) -> dict[str, Any]:
    """Return what decides what a validation measure means: evaluators, attacks, data, split."""
    _, settings = study.composed
    found = {f"evaluate.{path}": v for path, v in compose.flatten(settings.evaluate).items()}
    if settings.trainer.precision != UNLESS_SAID:  # evaluators attack and fit in it
        found[PRECISION] = settings.trainer.precision
    found["data.name"] = settings.data.name
    found |= {f"data.splits.{path}": v for path, v in compose.flatten(settings.data.splits).items()}
    return {path: found[path] for path in scopes.without(found, SAME_NUMBERS)}


def fingerprint(study: StoredStudy) -> str:
    """Return what two studies share only if they were measured alike."""
    # Whole paths of classes: those of a trial's evaluators stay where they are, and what is kept
    # of old races holds this fingerprint.
    text = json.dumps(how(study), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def difference_of(studies: Sequence[StoredStudy]) -> str:
    """Return the first thing that makes the studies' measures mean different things, if any."""
    first = how(studies[0])
    for study in studies[1:]:
        other, said = how(study), f"{studies[0].id} and {study.id} were not measured alike"
        for path in dict.fromkeys([*first, *other]):
            one, two = (_word(found, path) for found in (first, other))
            if one != two:
                return f"{said}: {path} is {one} in the one and {two} in the other"
        images = [one.manifest.images for one in (studies[0], study)]
        if None not in images and images[0] != images[1]:
            return f"{said}: the images of data={other['data.name']} changed between them"
    return ""


def _word(found: dict[str, Any], path: str) -> str:
    return str(found.get(path, UNLESS_SAID if path == PRECISION else "absent"))


def stamp(study: StoredStudy) -> str:
    """Return the fingerprint for places where `words` stand elsewhere on the page."""
    return f"fingerprint {fingerprint(study)}, in words in Setup"


def words(study: StoredStudy, images: str = VALIDATION) -> str:
    """Return how a study's measures were taken in a line, with the fingerprint of all of it."""
    found = how(study)
    attacks = dict.fromkeys(
        _call(found, f"{path.partition('.attack.')[0]}.attack")
        for path in found
        if ".attack." in path
    )
    robust = [f"robust accuracy under {attack}" for attack in attacks]
    few = [str(v) for path, v in found.items() if path.endswith(".max_images") and v is not None]
    most = [f"on the first {few[0]} images"] if attacks and few else []
    where = f"on {images} of {_call(found, 'data.splits')}"
    said = " ".join([*robust, *most, where])
    return f"{said}, networks in eval mode; fingerprint {fingerprint(study)}"


def _call(found: dict[str, Any], node: str) -> str:
    """Return a node as its class or function and what it was given."""
    inside = {p.removeprefix(f"{node}."): v for p, v in found.items() if p.startswith(f"{node}.")}
    parts = {path.partition(".")[0]: value for path, value in inside.items()}
    given = [
        _call(found, f"{node}.{name}")
        if f"{name}._target_" in inside
        else f"{name}={axes.shown(value)}"
        for name, value in parts.items()
        if name != "_target_"
    ]
    return f"{str(inside.get('_target_', node)).rpartition('.')[2]}({', '.join(given)})"
