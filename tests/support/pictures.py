"""Image files of a few pixels, in the layouts that are packed."""

import io

import numpy as np
from PIL import Image


def picture(seed, height=8, width=8):
    """Return smooth colours, which a JPEG keeps."""
    coarse = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)


def jpeg(seed, height=8, width=8, **settings):
    """Return the bytes of a JPEG."""
    file = io.BytesIO()
    picture(seed, height, width).save(file, "JPEG", quality=95, **settings)
    return file.getvalue()


def class_folders(root, splits=("train", "test"), classes=("cat", "dog"), each=10, **size):
    """Write `each` JPEGs of every class into every split; "" is no split."""
    seed = 0
    for split in splits:
        for name in classes:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(each):
                seed += 1
                (folder / f"{number}.jpg").write_bytes(jpeg(seed, **size))
    return root
