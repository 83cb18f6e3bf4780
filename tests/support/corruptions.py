"""Corrupted test images of a few pixels, in CIFAR-10-C's layout."""

import numpy as np


def darker(test, severity):
    """Return what severity 1 to 5 of a corruption leaves, shape (N, H, W, C); nothing at 5."""
    pixels = test.images.permute(0, 2, 3, 1).numpy()
    return (pixels * (1 - severity / 5)).astype(np.uint8)


def write_corruptions(folder, test, names=("dark", "none")):
    """Write ``dark.npy``, ``none.npy`` (the images as they are) and ``labels.npy``."""
    folder.mkdir(exist_ok=True)
    for name in names:
        strength = 0 if name == "none" else 1
        parts = [darker(test, strength * severity) for severity in range(1, 6)]
        np.save(folder / f"{name}.npy", np.concatenate(parts))
    np.save(folder / "labels.npy", np.tile(test.labels.numpy(), 5))
    return folder
