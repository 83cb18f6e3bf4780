"""From what a user names to a trained network: a study, a trial, a run in MLflow, a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from raystudy import checkpoint, config
from raystudy.errors import UserError
from raystudy.replay import NOT_A_TRIALS, trial_overrides
from raystudy.stored import StoredStudy
from raystudy.study_folder import StudyFolder, TrialFolder, open_study_folder
from raystudy.trackers.redaction import redact
from raystudy.trackers.store import store_uri
from raystudy.trial import build_encoder, build_method, load_splits
from trainables.data.image_set import Splits
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.interchange import load_encoder, read_weights

FIRST_TRIAL = 0
FOREIGN = "simclr"  # the study that lends its settings to an encoder from elsewhere
OURS = (".safetensors", ".ckpt")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a trained network is, and how it was made.

    Parameters
    ----------
    label : str
        What to call it, such as ``swaro-1/3``.
    name : str
        Name of the study's YAML.
    overrides : tuple of str
        The whole trial.
    search_path : tuple of str
    weights : Path
    study : StudyFolder, optional
    number : int
        Of the trial.
    """

    label: str
    name: str
    overrides: tuple[str, ...]
    search_path: tuple[str, ...]
    weights: Path
    study: StudyFolder | None = None
    number: int = FIRST_TRIAL

    @property
    def folder(self) -> Path | None:
        """The trial's folder, if it is a trial of raystudy's."""
        return self.study.trial(self.number).path if self.study else None

    def settings(self, overrides: Sequence[str] = ()) -> DictConfig:
        """Return the trial's configuration under further overrides."""
        return config.load(self.name, [*self.overrides, *overrides], self.search_path)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network in eval mode, and its data.

    Parameters
    ----------
    origin : Origin
    config : DictConfig
        The trial's own.
    encoder : Encoder
    head : nn.Module, optional
        Features (N, num_features) to logits (N, Y), of methods that train one.
    method : Method, optional
        Everything, unless the encoder is from elsewhere.
    splits : Splits
        On the network's device.
    """

    origin: Origin
    config: DictConfig
    encoder: Encoder
    head: nn.Module | None
    method: Method | None
    splits: Splits

    @property
    def label(self) -> str:
        """What to call it."""
        return self.origin.label


def open_trained(what: str, overrides: Sequence[str], search_path: Sequence[str] = ()) -> Trained:
    """Find a trained network and load it without running code from any file.

    Parameters
    ----------
    what : str
        A study's id (its best trial), STUDY/NUMBER, the id of a run in MLflow, or a file with
        weights.
    overrides : sequence of str
        ``output_dir``, ``tracker``, ``device``; for weights from elsewhere ``encoder`` and
        ``data`` too.
    search_path : sequence of str
        The user's own folders, for weights from elsewhere.

    Raises
    ------
    UserError
        If there is no such thing, or its weights do not fit.
    """
    return load(find(what, overrides, search_path), overrides)


def use_threads(settings: DictConfig) -> None:
    """Have as many threads as a trial has: more are slower on small networks."""
    torch.set_num_threads(max(1, int(settings.scaling.cpus_per_worker)))


def find(what: str, overrides: Sequence[str], search_path: Sequence[str] = ()) -> Origin:
    """Return where a trained network is; see `open_trained`."""
    shared = config.load_shared([t for t in overrides if t.startswith(("output_dir=", "tracker"))])
    output_dir = Path(shared.output_dir).expanduser().resolve()
    if Path(what).suffix or Path(what).is_file():
        return _of_file(Path(what).expanduser().resolve(), overrides, search_path)
    if re.fullmatch("[0-9a-f]{32}", what):
        what = _trial_of_run(store_uri(shared.tracker.uri, shared.output_dir), what)
    study_id, _, number = what.partition("/")
    if number and not number.isdigit():
        raise UserError(f"a trial is named STUDY/NUMBER, such as swaro-1/3; got '{what}'.")
    folder = open_study_folder(output_dir, study_id)
    return _of_trial(folder, int(number) if number else None)


def load(origin: Origin, overrides: Sequence[str] = ()) -> Trained:
    """Build a network and put its weights in."""
    settings = origin.settings([t for t in overrides if t.startswith(("device=", "output_dir="))])
    splits = load_splits(settings)
    where = splits.train.images.device
    if origin.study is None:
        encoder = build_encoder(settings)
        _put_in(lambda: load_encoder(encoder, read_weights(origin.weights)), origin)
        return Trained(
            origin=origin,
            config=settings,
            encoder=encoder.to(where).eval(),
            head=None,
            method=None,
            splits=splits,
        )
    method = build_method(settings)
    _put_in(lambda: _load_method(method, _weights(origin.weights)), origin)
    if settings.trainer.channels_last:  # as it was measured in training, to the last bit
        method.to(memory_format=torch.channels_last)
    method.to(where).eval()
    head = getattr(method, "head", None)
    return Trained(
        origin=origin,
        config=settings,
        encoder=method.encoder,
        head=head if isinstance(head, nn.Module) else None,
        method=method,
        splits=splits,
    )


def _of_file(path: Path, overrides: Sequence[str], search_path: Sequence[str]) -> Origin:
    if not path.is_file():
        raise UserError(f"there is no file {path}.")
    folder = path.parent
    if folder.parent.name == "trials" and (folder.parent.parent / "study.json").is_file():
        study = StudyFolder(folder.parent.parent)
        return _of_trial(study, int(folder.name), path)
    own = [text for text in overrides if not text.startswith(("suite", "+suite"))]
    return Origin(
        label=path.name,
        name=FOREIGN,
        overrides=tuple(own),
        search_path=tuple(search_path),
        weights=path,
    )


def _of_trial(folder: StudyFolder, number: int | None, weights: Path | None = None) -> Origin:
    manifest = folder.read_manifest()
    if manifest["kind"] == "train":
        number, overrides = FIRST_TRIAL, manifest["overrides"]
        label = folder.id
    else:
        study = StoredStudy(folder)
        if number is None:
            if not study.best:
                raise UserError(f"{folder.id} has no complete trial yet; name one: {folder.id}/0.")
            number = study.best[0].number
        overrides = trial_overrides(study, study.trial(number))
        label = f"{folder.id}/{number}"
    return Origin(
        label=label,
        name=manifest["name"],
        overrides=tuple(t for t in overrides if not t.startswith(NOT_A_TRIALS)),
        search_path=tuple(manifest["search_path"]),
        weights=weights or _kept(folder.trial(number), label),
        study=folder,
        number=number,
    )


def _kept(trial: TrialFolder, label: str) -> Path:
    """Return a trial's last weights, or its best where those are gone."""
    for path in (trial.last_checkpoint, trial.best_weights):
        if path.is_file():
            return path
    raise UserError(f"{label} has left no weights in {trial.path}; replay it first.")


def _trial_of_run(uri: str, run_id: str) -> str:
    from raystudy.trackers.mlflow.client import MlflowStore

    tags = MlflowStore(uri, artifacts=None, refused=lambda _: None).tags(run_id)
    if tags.get("raystudy.kind") != "trial":
        raise UserError(f"{run_id} is no trial of raystudy in MLflow at {redact(uri)}.")
    return f"{tags['raystudy.study_id']}/{tags['raystudy.trial_number']}"


def _weights(path: Path) -> dict[str, Any]:
    if path.suffix != ".ckpt":
        return dict(read_weights(path))
    state = checkpoint.load(path)
    try:
        weights: dict[str, Any] = state["trainer"]["method"]
    except (KeyError, TypeError):
        raise UserError(f"{path} is no checkpoint of a trial of raystudy's.") from None
    return weights


def _load_method(method: Method, weights: dict[str, Any]) -> None:
    own = method.state_dict()
    tensors = {name for name, value in own.items() if isinstance(value, Tensor)}
    given = {name for name, value in weights.items() if isinstance(value, Tensor)}
    if missing := sorted(tensors - given):
        raise ValueError(f"{missing[0]} and {len(missing) - 1} others are missing")
    if extra := sorted(given - tensors):
        raise ValueError(f"{extra[0]} and {len(extra) - 1} others are not of this method")
    # Safetensors hold no state that is not a tensor; an evaluation needs none.
    with torch.no_grad():
        method.load_state_dict({**own, **weights})


def _put_in(put: Any, origin: Origin) -> None:
    try:
        put()
    except (ValueError, RuntimeError) as error:
        words = " ".join(str(error).split())
        raise UserError(f"the weights in {origin.weights} cannot be used: {words}") from error
