"""Training on a pack larger than the memory a process may have, watched from outside.

``python tests/benchmarks/packed_memory.py [--gigabytes 1.5] [--allowed 1.2]``

Writes a pack of so many bytes, then reads all of it, two random resized crops of each image, in a
process that may allocate no more than `allowed` (RLIMIT_DATA: what it maps from files is not
counted, and it maps none). Prints the largest resident memory that /proc showed.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from packed import SIZE, photographs

from trainables.data.pack.encoding import Encoding
from trainables.data.pack.layout import IMAGES, INDEX, read_parts, sha256_of
from trainables.data.pack.layouts import Cutting, arrange
from trainables.data.pack.sources import open_source
from trainables.data.pack.writing import pack

READS = """
import resource, sys
import torch
from trainables.augment.crops import RandomResizedCrop
from trainables.data.batches import ShuffledBatches
from trainables.data.packed import packed
from trainables.memory import keep_freed_memory
allowed = int(float(sys.argv[2]) * 1e9)
resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
keep_freed_memory()
train = packed(root=sys.argv[1], image_size=int(sys.argv[3])).train
crop = RandomResizedCrop(scale_min=0.2)
for batch in ShuffledBatches(train, batch_size=64, seed=0).epoch(0):
    crop(batch.images), crop(batch.images)
"""


def enlarge(out, gigabytes):
    """Repeat the training images until they take so much."""
    part = read_parts(out)["train"]
    content = (part.folder / IMAGES).read_bytes()
    times = int(gigabytes * 1e9) // len(content) + 1
    with (part.folder / IMAGES).open("wb") as file:
        for _ in range(times):
            file.write(content)
    rows = np.tile(part.rows, times)
    rows["offset"] += np.repeat(np.arange(times) * len(content), len(part.rows))
    np.save(part.folder / INDEX, rows)
    replace(
        part.meta,
        images=len(rows),
        size_in_bytes=times * len(content),
        index_sha256=sha256_of(part.folder / INDEX),
    ).write(part.folder)
    return len(rows)


def resident(pid):
    """Return bytes of memory, those of mapped files included."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.5)
    parser.add_argument("--allowed", type=float, default=1.2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        photographs(source, 200)
        with open_source(source, out) as found:
            pack(
                found,
                arrange(found, Cutting()),
                out,
                Encoding(quality=100, chroma="444"),
                origin={"source": "photographs", "made_by": "benchmark"},
                threads=1,
                progress=lambda *_: None,
            )
        images = enlarge(out, options.gigabytes)
        started, largest = time.monotonic(), 0
        reader = subprocess.Popen(
            [sys.executable, "-c", READS, str(out), str(options.allowed), str(SIZE)]
        )
        while reader.poll() is None:
            largest = max(largest, resident(reader.pid))
            time.sleep(0.2)
    print(
        f"{images:,} images of {options.gigabytes:g} GB in {time.monotonic() - started:.0f} s, "
        f"exit code {reader.returncode}; allowed {options.allowed:g} GB, largest resident memory "
        f"{largest / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
