"""An encoder for other programs: a file of weights, or a model for a registry."""

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.text import Text

from raystudy import terminal
from raystudy.errors import EXIT_DONE, UserError
from raystudy.evaluation.network import Trained, open_trained
from raystudy.storage import checkpoint
from raystudy.storage.folders import StudyFolder
from raystudy.study import command
from raystudy.study.model import Model
from raystudy.study.stored import StoredStudy
from trainables.networks.encoder import Encoder
from trainables.networks.interchange import save_torchvision
from trainables.networks.resnet import ResNet
from trainables.networks.split_batch_norm import SplitBatchNorm, keep_branch


def export_weights(run: str, overrides: Sequence[str], *, output: str | None) -> int:
    """Write a trained encoder; a ResNet under torchvision's names.

    Parameters
    ----------
    run : str
        See `open_trained`.
    overrides : sequence of str
    output : str, optional
        A file; named after the run and put here if left out.
    """
    network = open_trained(run, overrides)
    encoder = _with_one_batch_norm(network.encoder)
    path = Path(output or f"{network.label.replace('/', '-')}.safetensors")
    try:
        if isinstance(encoder, ResNet):
            save_torchvision(encoder, path)
            words = "torchvision's ResNet loads it with strict=False; only fc is missing"
        else:
            checkpoint.save_weights(encoder, path)
            words = f"the weights of {type(encoder).__name__}"
    except OSError as error:
        raise UserError(f"--output {path} cannot be written ({error.strerror}).") from error
    terminal.console(stderr=True).print(Text(f"{path}: {words}"), soft_wrap=True)
    return EXIT_DONE


def model_of(network: Trained, name: str) -> Model:
    """Return a trial's encoder for a registry of models, with what made it.

    Parameters
    ----------
    network : Trained
    name : str
        In the registry.

    Raises
    ------
    UserError
        If it is of no trial.
    """
    origin = network.origin
    if origin.study is None:
        raise UserError(f"{origin.label} is of no trial, and only trials have a run to register.")
    line = command.train(origin.name, origin.overrides, origin.search_path)
    images = network.splits.train.images
    tags = {
        "raystudy.trial": f"{origin.study.id}/{origin.number}",
        "raystudy.command": line,
        "raystudy.dataset": str(network.config.data.name),
        "raystudy.weights": origin.weights.name,
    }
    note = (
        f"Encoder of {origin.label}, {origin.name} on {network.config.data.name}"
        f"{_measured(origin.study, origin.number)}: features of images with values from 0 to 1. "
        f"Made by\n\n    {line}"
    )
    encoder = _with_one_batch_norm(network.encoder).cpu().eval()
    encoder = encoder.to(memory_format=torch.contiguous_format)
    return Model(name=name, network=encoder, shape=tuple(images.shape[1:]), tags=tags, note=note)


def _measured(study: StudyFolder, number: int) -> str:
    """Return what a trial's objectives came to, in words; a single training has none."""
    if study.read_manifest().kind == "train":
        return ""
    last = StoredStudy(study).trial(number).summary.last
    return f" ({', '.join(f'{metric} {value:.4f}' for metric, value in last.items())})"


def _with_one_batch_norm(encoder: Encoder) -> Encoder:
    """Return a copy with the batch norm in use, where there are several."""
    twin = copy.deepcopy(encoder)
    in_use = {part.active for part in twin.modules() if isinstance(part, SplitBatchNorm)}
    for name in in_use:
        twin = keep_branch(twin, name)
    return twin
