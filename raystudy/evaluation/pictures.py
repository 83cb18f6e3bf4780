"""Pictures of a trained network, by name."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_type_hints

from torch import nn

from raystudy.config import override
from raystudy.errors import UserError
from raystudy.evaluation.network import Trained
from raystudy.storage.file_names import readable
from raystudy.trial.build import build_evaluators
from trainables.attacks.pgd import PGD
from trainables.evaluate.probe import FrozenProbe
from trainables.pictures.adversarial import AdversarialExamples
from trainables.pictures.drawing import draw
from trainables.pictures.features import TSNEMap, UMAPMap
from trainables.pictures.interpolation import Interpolation
from trainables.pictures.large import LargePerturbations
from trainables.pictures.subject import (
    USUAL_ATTACK,
    USUAL_PENALTY,
    Picture,
    Subject,
    with_linear_layer,
)
from trainables.pictures.views import Views, augmentations
from trainables.pictures.visualisation import FeatureVisualisation
from trainables.protocols.base import Classifier

PICTURES: Mapping[str, type[Any]] = {
    "features": TSNEMap,
    "umap": UMAPMap,
    "adversarial": AdversarialExamples,
    "visualisation": FeatureVisualisation,
    "interpolation": Interpolation,
    "large": LargePerturbations,
    "views": Views,
}


OF_A_CLASSIFIER = ("adversarial", "large")


def make_pictures(names: Sequence[str], settings: Sequence[str]) -> dict[str, Picture]:
    """Return pictures by name, with the user's settings; all of them where none is named.

    Raises
    ------
    UserError
        If there is no such picture or setting, or a value does not fit.
    """
    for name in names:
        if name not in PICTURES:
            raise UserError(f"no picture '{name}'; there are {', '.join(PICTURES)}.")
    if "umap" in names and not UMAPMap.is_installed():
        raise UserError("picture 'umap' needs umap-learn: pip install umap-learn.")
    chosen = dict.fromkeys(names or PICTURES)
    if not UMAPMap.is_installed():
        chosen.pop("umap", None)
    own: dict[str, dict[str, Any]] = {name: {} for name in PICTURES}
    for text in settings:
        name, setting, value = _read_setting(text)
        own[name][setting] = value
    try:
        return {name: PICTURES[name](**own[name]) for name in chosen}
    except ValueError as error:
        raise UserError(str(error)) from error


def make_subject(trained: Trained, *, with_classifier: bool) -> Subject:
    """Return what is looked at, with the classifier and the attack the trial is judged by.

    Parameters
    ----------
    trained : Trained
    with_classifier : bool
        Whether a picture needs one: to fit a linear layer takes a while.
    """
    evaluators = list(build_evaluators(trained.config).values())
    probes = [e for e in evaluators if isinstance(e, FrozenProbe)]
    attacks = [a for a in (getattr(e, "attack", None) for e in evaluators) if isinstance(a, PGD)]
    classifier: nn.Module | None = None
    if with_classifier and trained.head is not None and not probes:
        classifier = Classifier(trained.encoder, trained.head)
    elif with_classifier:
        penalty = probes[0].penalty if probes else USUAL_PENALTY
        classifier = with_linear_layer(trained.encoder, trained.splits, penalty=penalty)
    return Subject(
        encoder=trained.encoder,
        splits=replace(trained.splits, classes=tuple(map(readable, trained.splits.classes))),
        classifier=classifier,
        attack=attacks[0] if attacks else USUAL_ATTACK,
        augmentations=augmentations(trained.method) if trained.method else {},
    )


def _is_of_picture(text: str) -> bool:
    return text.partition("=")[0].partition(".")[0] in PICTURES


def _read_setting(text: str) -> tuple[str, str, Any]:
    """Return picture, setting and value of what the user typed."""
    name, _, setting = text.partition("=")[0].partition(".")
    kinds = get_type_hints(PICTURES[name])
    if setting not in kinds:
        near = difflib.get_close_matches(setting, kinds, n=1)
        hint = f"did you mean '{name}.{near[0]}'?" if near else f"there are {', '.join(kinds)}."
        raise UserError(f"no setting '{setting}' of picture '{name}'; {hint}")
    value: Any = override.parse(text).value()
    whole = kinds[setting] in (int, int | None)
    is_number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        kind = "a whole number" if whole else "a number"
        raise UserError(f"{name}.{setting} must be {kind}, got '{value}'.")
    return name, setting, value


def _possible(makers: dict[str, Picture], trained: Trained, *, asked: bool) -> dict[str, Picture]:
    """Leave out views where there are none, unless they were asked for."""
    if "views" not in makers or (trained.method and augmentations(trained.method)):
        return makers
    if asked:
        raise UserError(f"picture 'views' needs a method that augments; {trained.label} has none.")
    return {name: picture for name, picture in makers.items() if name != "views"}


def _png(name: str, picture: Picture, subject: Subject, label: str) -> bytes:
    try:
        return draw(picture(subject), label)
    except ValueError as error:
        raise UserError(f"picture '{name}': {error}") from error
