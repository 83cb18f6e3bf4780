"""Trained networks, loaded without running code from any file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from raystudy.config import override, scopes
from raystudy.config.scopes import Scope
from raystudy.errors import UserError
from raystudy.evaluation.locate import Origin, find
from raystudy.storage.checkpoint import TrialCheckpoint
from raystudy.trial import images
from raystudy.trial.build import build_encoder, build_method, load_splits
from trainables.data.image_set import Splits
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.interchange import load_encoder
from trainables.networks.weight_files import read_weights


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
        weights; FILE:PREFIX where that holds several encoders.
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
    origin = find(what, overrides, search_path)
    others = scopes.without(overrides, [Scope.IMAGES])
    other = [text for text in others if override.node_of(text) == "data"]
    if origin.study and other:
        raise UserError(
            f"{origin.label} is looked at on the data it was trained on, not {other[0]}."
        )
    found = load(origin, overrides)
    if study := origin.study:
        images.refuse_others(study, study.read_manifest(), found.config, found.splits)
    return found


def use_threads(settings: DictConfig) -> None:
    """Have as many threads as a trial has: more are slower on small networks."""
    torch.set_num_threads(max(1, int(settings.scaling.cpus_per_worker)))


def load(origin: Origin, overrides: Sequence[str] = ()) -> Trained:
    """Build a network and put its weights in."""
    own = (Scope.DEVICE, Scope.RESULTS, *(() if _is_other_data(overrides) else (Scope.IMAGES,)))
    settings = origin.settings(scopes.select(overrides, own))
    splits = load_splits(settings)
    where = splits.train.images.device
    if origin.study is None:
        return Trained(
            origin=origin,
            config=settings,
            encoder=_from_elsewhere(origin, settings).to(where),
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


def load_for_other_images(origin: Origin, overrides: Sequence[str]) -> Encoder:
    """Load an encoder to be measured on images that are none of a training set's.

    A trial's own images are needed even so: a network may be built by them.
    """
    if origin.study is not None:
        return load(origin, overrides).encoder
    return _from_elsewhere(origin, origin.settings())


def _from_elsewhere(origin: Origin, settings: DictConfig) -> Encoder:
    encoder = build_encoder(settings)
    prefix = origin.prefix
    _put_in(lambda: load_encoder(encoder, read_weights(origin.weights), prefix=prefix), origin)
    return encoder.eval()


def _is_other_data(overrides: Sequence[str]) -> bool:
    return bool(override.named(overrides, "data"))


def _weights(path: Path) -> dict[str, Any]:
    if path.suffix != ".ckpt":
        return dict(read_weights(path))
    return TrialCheckpoint.load(path).method


def _load_method(method: Method, weights: dict[str, Any]) -> None:
    own = method.state_dict()
    tensors = {name for name, value in own.items() if isinstance(value, Tensor)}
    given = {name for name, value in weights.items() if isinstance(value, Tensor)}
    if missing := sorted(tensors - given):
        raise ValueError(f"{missing[0]} and {len(missing) - 1} others are missing")
    if extra := sorted(given - tensors):
        raise ValueError(f"{extra[0]} and {len(extra) - 1} others are not of this method")
    if broken := sorted(name for name in tensors if not weights[name].isfinite().all()):
        raise ValueError(f"{broken[0]} and {len(broken) - 1} others are not finite")
    # Safetensors hold no state that is not a tensor; an evaluation needs none.
    with torch.no_grad():
        method.load_state_dict({**own, **weights})


def _put_in(put: Any, origin: Origin) -> None:
    try:
        put()
    except (ValueError, RuntimeError) as error:
        # torch's errors are of many lines, ours where they show Python to run.
        words = str(error) if isinstance(error, ValueError) else " ".join(str(error).split())
        raise UserError(f"the weights in {origin.weights} cannot be used: {words}") from error
