"""Weights to and from other programs: torchvision's ResNets, checkpoints of all sorts."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables.networks.encoder import Encoder
from trainables.networks.resnet import ResNet
from trainables.networks.small_conv import SmallConv

OURS = "encoder.body."  # of a method's weights
SAID = 3  # names of each kind in an error
DEPTHS = {(2, False): 18, (6, False): 34, (6, True): 50}  # by blocks of layer3, and bottlenecks
STEMS = {3: "cifar", 7: "imagenet"}  # by the size of conv1
SYNONYMS = ((r"\bshortcut\.", "downsample."),)  # CIFAR ResNets after kuangliu: RoCL, SupContrast


def to_torchvision(encoder: ResNet) -> dict[str, Tensor]:
    """Return a state dict that torchvision's ResNet of the same depth loads with strict=False.

    Only ``fc`` is missing. With the CIFAR stem ``conv1`` is a 3 x 3 convolution of stride 1
    without max-pooling, which the receiving network must have too. torchvision's networks take
    standardised images: `encoder.mean` and `encoder.std` are not among the weights.

    Raises
    ------
    ValueError
        If the encoder has several batch norms per layer; keep one branch first.
    """
    weights = {
        name: value.detach().cpu().contiguous().clone()
        for name, value in encoder.body.state_dict().items()
    }
    if split := [name for name in weights if ".branches." in name]:
        raise ValueError(
            f"torchvision knows one batch norm per layer, the encoder has several ({split[0]}); "
            f"keep one branch (split_batch_norm.keep_branch)."
        )
    return weights


def save_torchvision(encoder: ResNet, path: Path) -> None:
    """Write `to_torchvision` as safetensors, with mean, std and stem as metadata."""
    from safetensors.torch import save_file  # training needs nothing but torch

    stem = "imagenet" if isinstance(encoder.body.maxpool, nn.MaxPool2d) else "cifar"
    metadata = {
        "mean": str(encoder.mean.flatten().tolist()),
        "std": str(encoder.std.flatten().tolist()),
        "stem": stem,
    }
    save_file(to_torchvision(encoder), path, metadata=metadata)


def load_encoder(
    encoder: Encoder, weights: Mapping[str, Tensor], *, prefix: str | None = None
) -> None:
    """Put weights of torchvision's naming, or of ours, into an encoder.

    They are found under any prefix (``module.``, ``backbone.``, ``state_dict.encoder.``); other
    networks' weights in the same file, and a last layer, are left alone. A file of ours with
    several encoders gives the one that methods call `encoder`.

    Parameters
    ----------
    encoder : Encoder
        Changed only if everything fits.
    weights : mapping of str to Tensor
    prefix : str, optional
        What stands before the encoder's names, where a file holds several encoders.

    Raises
    ------
    ValueError
        If tensors are missing, superfluous, of another shape or not finite, or if several sets
        of tensors fit equally well.
    """
    own = encoder.state_dict()
    wanted = {name.removeprefix("body."): value for name, value in own.items()}
    renamed = {_our_name(name): value for name, value in weights.items()}
    if prefix is None:
        prefix = _prefix(renamed, wanted)
    given = {
        name.removeprefix(prefix): value
        for name, value in renamed.items()
        if name.startswith(prefix)
    }
    if complaints := list(_complaints(given, wanted)):
        under = f" under '{prefix}'" if prefix else ""
        advice = f"; {', '.join(fit)} may fit" if (fit := list(_settings(encoder, given))) else ""
        raise ValueError(
            f"the weights{under} do not fit the encoder: {'; '.join(complaints)}{advice}."
        )
    encoder.load_state_dict(
        {name: given.get(name.removeprefix("body."), value) for name, value in own.items()}
    )


def _our_name(name: str) -> str:
    for pattern, replacement in SYNONYMS:
        name = re.sub(pattern, replacement, name)
    return name


def _prefix(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """Return what stands before the most names that are wanted, in the right shape."""
    hits: dict[str, int] = {}
    for name, value in wanted.items():
        for other, tensor in given.items():
            if other == name or other.endswith(f".{name}"):
                start = other[: len(other) - len(name)]
                hits[start] = hits.get(start, 0) + (1 + (tensor.shape == value.shape))
    if not hits:
        raise ValueError(
            f"the weights are no encoder of this kind: none of {_some(list(wanted))} is there, "
            f"but {_some([name or 'one without a name' for name in given])}."
        )
    best = [start for start, count in hits.items() if count == max(hits.values())]
    if len(best) > 1 and OURS not in best:
        raise ValueError(
            f"the weights hold several encoders; name one, FILE:PREFIX, of {_some(best)}."
        )
    return OURS if OURS in best else best[0]


def _complaints(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[str]:
    parts = {name.split(".")[0] for name in wanted}
    # Checkpoints of old have no such counters, and nothing here reads them.
    needed = [name for name in wanted if not name.endswith("num_batches_tracked")]
    if missing := [name for name in needed if name not in given]:
        yield f"missing {_some(missing)}"
    others = [name for name in given if name not in wanted]
    if extra := [name for name in others if _is_part(name, given[name], parts)]:
        yield f"unexpected {_some(extra)}"
    both = [name for name in wanted if name in given]
    if other := [name for name in both if given[name].shape != wanted[name].shape]:
        sizes = [f"{n} {_size(given[n])} instead of {_size(wanted[n])}" for n in other]
        yield f"another size of {_some(sizes)}"
    if odd := [name for name in both if not _can_stand_for(given[name], wanted[name])]:
        yield f"no plain real numbers in {_some(odd)}"
    elif broken := [name for name in both if not given[name].float().isfinite().all()]:
        yield f"not finite {_some(broken)}"


def _is_part(name: str, value: Tensor, parts: Collection[str]) -> bool:
    """Return whether this is of the encoder: a layer of it, or one more of a numbered row."""
    first = name.split(".")[0]
    return first in parts or (first.isdigit() and all(map(str.isdigit, parts)) and value.ndim == 4)


def _settings(encoder: Encoder, given: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield the settings that would make the encoder one of the given size."""
    own = encoder.state_dict()
    convolutions = {name: value for name, value in given.items() if value.ndim == 4}
    if isinstance(encoder, ResNet):
        yield from _settings_of_resnet(own, convolutions)
    elif isinstance(encoder, SmallConv):
        widths = [len(value) for value in convolutions.values()]
        if widths != [len(value) for value in own.values() if value.ndim == 4]:
            yield f"encoder.widths=[{','.join(map(str, widths))}]"


def _settings_of_resnet(
    own: Mapping[str, Tensor], convolutions: Mapping[str, Tensor]
) -> Iterator[str]:
    depth, present = _depth(convolutions), _depth([name.removeprefix("body.") for name in own])
    if depth != present and depth is not None:
        yield f"encoder.depth={depth}"
    if (first := convolutions.get("conv1.weight")) is None:
        return
    expected = own["body.conv1.weight"]
    if first.shape[2:] != expected.shape[2:] and first.shape[-1] in STEMS:
        yield f"encoder.stem={STEMS[first.shape[-1]]}"
    if first.shape[1] != expected.shape[1]:
        yield f"data of {first.shape[1]} channels"


def _depth(names: Collection[str]) -> int | None:
    blocks = {name.split(".")[1] for name in names if name.startswith("layer3.")}
    return DEPTHS.get((len(blocks), "layer3.0.conv3.weight" in names))


def _can_stand_for(given: Tensor, wanted: Tensor) -> bool:
    """Return whether nothing is lost but digits: integers are of quantised networks."""
    if given.layout != torch.strided or given.is_meta or given.is_complex() or given.is_quantized:
        return False
    return given.is_floating_point() or not wanted.is_floating_point()


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "1"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SAID} more" if len(names) > SAID else ""
    return ", ".join(names[:SAID]) + more
