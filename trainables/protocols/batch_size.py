"""How many images fit."""

import os

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

SHARE = 0.4  # of the free memory: an attack keeps a few copies of its images besides
LARGEST_ON_CPU = 256  # beyond, larger batches are no faster
LARGEST = 8192


def fitting_batch_size(classifier: nn.Module, image: Tensor) -> int:
    """Return a power of two such that a gradient with respect to so many images fits in memory.

    Parameters
    ----------
    classifier : nn.Module
        In eval mode.
    image : Tensor, shape (C, H, W)
        One of the images, on the device.
    """
    bytes_each = max(1, _bytes_kept(classifier, image))
    fitting = int(SHARE * _free_bytes(image.device) / bytes_each)
    largest = LARGEST if image.device.type == "cuda" else LARGEST_ON_CPU
    return 1 << (max(1, min(fitting, largest)).bit_length() - 1)


def _bytes_kept(classifier: nn.Module, image: Tensor) -> int:
    """Return what autograd keeps of two images, weights left out, per image."""
    weights = {parameter.data_ptr() for parameter in classifier.parameters()}
    kept = dict[int, int]()

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(note, lambda tensor: tensor):
        pair = image.expand(2, *image.shape).clone().requires_grad_()
        classifier(pair).sum()
    return sum(kept.values()) // 2 + 4 * image.numel()


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
