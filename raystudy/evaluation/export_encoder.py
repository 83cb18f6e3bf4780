"""``raystudy export RUN --format safetensors``: an encoder for other programs."""

import copy
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from raystudy import terminal
from raystudy.errors import EXIT_DONE, UserError
from raystudy.evaluation.network import open_trained
from raystudy.storage import checkpoint
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


def _with_one_batch_norm(encoder: Encoder) -> Encoder:
    """Return a copy with the batch norm in use, where there are several."""
    twin = copy.deepcopy(encoder)
    in_use = {part.active for part in twin.modules() if isinstance(part, SplitBatchNorm)}
    for name in in_use:
        twin = keep_branch(twin, name)
    return twin
