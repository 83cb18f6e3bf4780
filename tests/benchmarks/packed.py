"""Images a second on one core: two random resized crops of each, from JPEGs of short side 256.

``python tests/benchmarks/packed.py [--images 256] [--rounds 15]``

Side by side in one process, in turn, each round on the same files: ours, as training reads a pack,
ending in bytes, as they go to a GPU, and in floats on this core; torchvision's pipeline (Pillow,
``RandomResizedCrop``, flip, ``ToTensor``) in a ``DataLoader`` without worker processes, which ends
in floats; the same with torchvision's own decoder and transforms, which end in bytes; and, where
OpenCV is installed, what a machine can do at most: a plain loop of simplejpeg and OpenCV's bilinear
resize, without antialiasing, on boxes drawn before. One thread each; the process is bound to one
core. The files are crops of the two photographs that scikit-learn brings.

CPU time is counted, and of all rounds the least: what other work takes of caches and memory only
adds to it.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import io
import os
import resource
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import simplejpeg
import torch
import torchvision.transforms as pil
import torchvision.transforms.v2 as v2
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg

from trainables.augment.crops import NUMBERS, RandomResizedCrop
from trainables.data.batches import ShuffledBatches
from trainables.data.pack.cutting import Draws
from trainables.data.pack.encoding import Encoding
from trainables.data.pack.layouts import Cutting, arrange
from trainables.data.pack.reader import Reader
from trainables.data.pack.sources import open_source
from trainables.data.pack.writing import pack
from trainables.data.packed import packed
from trainables.memory import keep_freed_memory

SIZE, BATCH = 224, 64
BAR, RATIO = 1500, 3.0  # images a second; times torchvision's pipeline


def photographs(folder, count):
    """Write crops of two photographs as JPEGs of classes."""
    whole, generator = load_sample_images().images, np.random.default_rng(0)
    for number in range(count):
        picture = Image.fromarray(whole[number % 2])
        share = generator.uniform(0.6, 1.0)
        width, height = (int(side * share) for side in picture.size)
        left, top = (
            int(generator.integers(0, full - part + 1))
            for full, part in zip(picture.size, (width, height), strict=True)
        )
        kind = folder / f"class{number % 2}"
        kind.mkdir(exist_ok=True)
        part = picture.crop((left, top, left + width, top + height))
        part.save(kind / f"{number}.jpg", quality=95)


class Files(Dataset):
    """A pack's JPEGs, each with its two views."""

    def __init__(self, part, view):
        self._reader, self._count, self._view = Reader(part, ""), len(part.rows), view

    def __len__(self):
        return self._count

    def __getitem__(self, row):
        return self._view(self._reader.file(row))


def with_pillow():
    """Return two views by torchvision's classic transforms."""
    transform = pil.Compose(
        [pil.RandomResizedCrop(SIZE, (0.2, 1.0)), pil.RandomHorizontalFlip(), pil.ToTensor()]
    )

    def view(file):
        picture = Image.open(io.BytesIO(file)).convert("RGB")
        return transform(picture), transform(picture)

    return view


def with_tensors():
    """Return two views by torchvision's decoder and its transforms of bytes."""
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, (0.2, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
        ]
    )

    def view(file):
        content = torch.frombuffer(bytearray(file), dtype=torch.uint8)
        picture = decode_jpeg(content, ImageReadMode.RGB)
        return transform(picture), transform(picture)

    return view


def ours(train, epoch, device):
    """Take two views of every batch of an epoch; "meta" is a device on which nothing costs time."""
    crop = RandomResizedCrop(scale_min=0.2)
    rows = ShuffledBatches(train, batch_size=BATCH, seed=0).rows(epoch)
    for images in train.images.to(device).batches(rows, Draws(seed=0, epoch=epoch)):
        crop(images), crop(images)
    return rows.numel()


def theirs(files):
    """Take two views of every image."""
    for _ in DataLoader(files, BATCH, shuffle=True, drop_last=True):
        pass
    return len(files) // BATCH * BATCH


def at_most(part):
    """Return what takes two views of every image in a plain loop."""
    import cv2

    cv2.setNumThreads(1)
    reader, views = Reader(part, ""), np.empty((len(part.rows), 2, SIZE, SIZE, 3), np.uint8)
    sizes = (torch.from_numpy(part.rows[side].astype(np.float32)) for side in ("height", "width"))
    heights, widths = (side.repeat(2) for side in sizes)
    boxes = RandomResizedCrop(scale_min=0.2).boxes(
        torch.rand(len(heights), NUMBERS), heights, widths
    )
    sides = torch.cat([boxes.corner, boxes.size], dim=1).int().tolist()

    def run():
        for row in range(len(part.rows)):
            pixels = simplejpeg.decode_jpeg(reader.file(row), fastdct=True, fastupsample=True)
            for view in (0, 1):
                number = row + view * len(part.rows)
                top, left, height, width = sides[number]
                found = pixels[top : top + height, left : left + width]
                found = cv2.resize(found, (SIZE, SIZE))
                views[row, view] = cv2.flip(found, 1) if boxes.mirrored[number] else found
        return len(part.rows)

    return run


def microseconds(run):
    """Return the CPU time of an image, of all threads."""
    start = time.process_time()
    images = run()
    return 1e6 * (time.process_time() - start) / images


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--chroma", choices=("420", "444"), default="420")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    keep_freed_memory()  # as a trial does; it serves all three
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        packing = pack_photographs(Path(folder, "in"), out, options)
        train = packed(root=str(out), image_size=SIZE).train
        part = train.images.source.part
        size = part.meta.size_in_bytes / part.meta.images
        print(f"{options.images} JPEGs, {size / 1e3:.0f} kB each; packed in {packing:.1f} ms each")
        epoch = iter(range(10**6))
        runners = {
            "ours, bytes": lambda: ours(train, next(epoch), "meta"),
            "ours, floats": lambda: ours(train, next(epoch), "cpu"),
            "DataLoader, Pillow": lambda: theirs(Files(part, with_pillow())),
            "DataLoader, tensors": lambda: theirs(Files(part, with_tensors())),
        }
        if find_spec("cv2"):
            runners["loop with OpenCV"] = at_most(part)
        for run in runners.values():
            run()
        times = [
            {name: microseconds(run) for name, run in runners.items()}
            for _ in range(options.rounds)
        ]
    report(times)


def pack_photographs(source, out, options):
    """Make a pack and return the milliseconds an image took."""
    source.mkdir()
    photographs(source, options.images)
    started = time.process_time()
    with open_source(source, out) as found:
        pack(
            found,
            arrange(found, Cutting(val_share=0.05, test_share=0.05)),
            out,
            Encoding(chroma=options.chroma),
            origin={"source": "photographs", "made_by": "benchmark"},
            threads=1,
            progress=lambda *_: None,
        )
    return 1e3 * (time.process_time() - started) / options.images


def report(times):
    least = {name: min(one[name] for one in times) for name in times[0]}
    own = least["ours, bytes"]
    for name, taken in least.items():
        print(
            f"{name:20s} {1e6 / taken:6,.0f} images/s  {taken:6.0f} us  "
            f"{taken / own:4.2f} times as long"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rate, ratio = 1e6 / own, least["DataLoader, Pillow"] / own
    print(f"largest resident memory {peak:.2f} GB")
    print(f"the bar of {BAR:,} images/s is {'met' if rate >= BAR else 'MISSED'}")
    print(
        f"the bar of {RATIO:g} times Pillow's pipeline is {'met' if ratio >= RATIO else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
