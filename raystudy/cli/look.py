"""``raystudy look``: pictures of a trained network, for people."""

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

from rich.text import Text
from torch import nn

from raystudy import terminal
from raystudy.config import compose, override
from raystudy.errors import EXIT_DONE, UserError
from raystudy.evaluation.network import Trained, open_trained, use_threads
from raystudy.storage.file_names import readable
from raystudy.trackers.mlflow.attach import Attachment, attach
from raystudy.trial.run import build_evaluators
from trainables.attacks.pgd import PGD
from trainables.evaluate.probe import FrozenProbe
from trainables.evaluate.protocol import Classifier
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
FOLDER = "pictures"  # in the trial's folder, and among the artifacts of its run


def look(
    run: str,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    pictures: Sequence[str] | None = None,
    output: str | None = None,
) -> int:
    """Make pictures of a trained network, write them as PNG and add them to its run in MLflow.

    Parameters
    ----------
    run : str
        See `open_trained`.
    overrides : sequence of str
        A picture's own settings, such as ``large.steps=100``, and what `open_trained` takes.
    search_path : sequence of str
    pictures : sequence of str, optional
        Their names; all there can be if none is given.
    output : str, optional
        Folder for the files, instead of ``pictures`` beside the weights.
    """
    own = [text for text in overrides if _is_of_picture(text)]
    others = [text for text in overrides if not _is_of_picture(text)]
    makers = make_pictures(pictures or [], own)
    trained = open_trained(run, others, search_path)
    use_threads(trained.config)
    makers = _possible(makers, trained, asked=bool(pictures))
    subject = make_subject(trained, with_classifier=any(n in makers for n in OF_A_CLASSIFIER))
    folder = Path(output) if output else trained.origin.weights.parent / FOLDER
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    console, files = terminal.console(), {}
    for name, picture in makers.items():
        path = folder / f"{name}.png"
        with console.status(Text(f"{name} ...")):
            png = _png(name, picture, subject, readable(trained.label))
        with _writing_to(folder):
            path.write_bytes(png)
        console.print(Text(str(path)), soft_wrap=True)
        files[path.name] = path
    if why := _attach(trained, others, files):
        console.print(Text(f"not in MLflow: {why}", style="yellow"), soft_wrap=True)
    return EXIT_DONE


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


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"--output: cannot write to {folder} ({error.strerror}); name another folder."
        ) from error


def _attach(trained: Trained, overrides: Sequence[str], files: Mapping[str, Path]) -> str:
    """Add the files to the trial's run; return why it was not possible, or ""."""
    study = trained.origin.study
    if study is None:
        return ""
    begun_with = [t for t in study.read_manifest().overrides if t.startswith("tracker")]
    given = [t for t in overrides if t.startswith(("tracker", "output_dir="))]
    settings = compose.load_shared([*begun_with, *given])
    attachment = Attachment(files=files, folder=FOLDER)
    return attach(study, trained.origin.number, settings, attachment)
