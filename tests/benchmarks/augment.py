"""Views per second on one CPU core, against torchvision image by image. By hand:

``python tests/benchmarks/augment.py [--rounds 7] [--images 512] [--size 32]``

Side by side in one process and thread: each round times ours and both of torchvision's, in turn,
so that a busy machine slows all of them alike; the medians of the rounds' ratios are compared.

- PIL: what the official repositories do. An image starts as a PIL image, as a data set returns it,
  and ends as a float tensor.
- tensors: ``torchvision.transforms.v2`` on float tensors, one image at a time.

Half of our time goes to fresh pages that glibc returns after every tensor; to see it, set
MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=268435456.

Ours starts from the uint8 images of a resident set and ends as a float batch. Boxes are never
larger than the result, so it makes no difference that PIL always antialiases.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import argparse
import random
import statistics
import time

import torch
import torchvision.transforms as pil
import torchvision.transforms.v2 as v2
import torchvision.transforms.v2.functional as tv
from hydra.utils import instantiate
from PIL import ImageFilter

from raystudy.config import compose
from trainables.augment.blur import GaussianBlur
from trainables.augment.colours import ColorJitter, RandomGrey, adjust_hue
from trainables.augment.crops import RandomResizedCrop

BAR = 3.0  # times torchvision, for RoCL's views at 32 x 32
BATCH = 256


def reference(kit, name, size):
    """Return torchvision's transforms for a file of search_spaces/augment."""
    jitter = kit.RandomApply([kit.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8)
    colours = [jitter, kit.RandomGrayscale(0.2)]
    flip = kit.RandomHorizontalFlip()
    blur = kit.RandomApply([pil_blur if kit is pil else v2.GaussianBlur(17, (0.1, 2.0))], p=0.5)

    def crop(scale_min):
        return kit.RandomResizedCrop(size, (scale_min, 1.0))

    steps = {
        "rocl": [*colours, flip, crop(0.08)],
        "simclr": [crop(0.08), flip, *colours],
        "weak": [crop(0.2), flip],
        "aggressive": [*colours, blur],
        "crop_flip": [kit.RandomCrop(size, padding=4), flip],
    }[name]
    return kit.Compose(steps)


def pil_blur(picture):
    """Blur as MSR's code does: PIL's approximation by box filters."""
    return picture.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def runners(name, images):
    """Return what makes a view of each image, by contestant."""
    size = images.shape[-1]
    pipeline = instantiate(
        compose.load_shared([f"augment={name}", "data.mirror=true"]).augment, _convert_="all"
    )
    pictures = [tv.to_pil_image(image) for image in images]
    floats = list(images.float() / 255)
    from_pil = pil.Compose([reference(pil, name, size), pil.ToTensor()])
    from_tensor = reference(v2, name, size)
    return {
        "ours": lambda: [pipeline(part.float() / 255) for part in images.split(BATCH)],
        "PIL": lambda: [from_pil(picture) for picture in pictures],
        "tensors": lambda: [from_tensor(image) for image in floats],
    }


def compare(name, images, rounds):
    """Print a line for one file and return the smaller ratio."""
    contestants = runners(name, images)
    for run in contestants.values():
        run()
    times = [{key: seconds(run) for key, run in contestants.items()} for _ in range(rounds)]
    rate = {key: len(images) / statistics.median(t[key] for t in times) for key in contestants}
    ratio = {
        key: statistics.median(t[key] / t["ours"] for t in times) for key in ("PIL", "tensors")
    }
    print(
        f"{name:11s} ours {rate['ours']:8,.0f}   PIL {rate['PIL']:7,.0f} ({ratio['PIL']:5.1f}x)   "
        f"tensors {rate['tensors']:7,.0f} ({ratio['tensors']:5.1f}x)   views/s"
    )
    return min(ratio.values())


def profile(images, rounds):
    """Print where our time goes, in microseconds per view."""
    batch = images[:BATCH].float() / 255
    turn = torch.linspace(-0.1, 0.1, len(batch))
    parts = {
        "jitter": ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
        "  of it hue": lambda x: adjust_hue(x, turn),
        "grey": RandomGrey(),
        "crop and flip": RandomResizedCrop(scale_min=0.08),
        "blur": GaussianBlur(),
    }
    for name, part in parts.items():
        part(batch)
        median = statistics.median(seconds(lambda part=part: part(batch)) for _ in range(rounds))
        print(f"  {name:14s} {1e6 * median / len(batch):6.1f} us/view")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--size", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = options.images, 3, options.size, options.size
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    ratios = {
        name: compare(name, images, options.rounds)
        for name in ("rocl", "simclr", "weak", "aggressive", "crop_flip")
    }
    profile(images, 5 * options.rounds)
    print(f"RoCL's views: {ratios['rocl']:.1f} times torchvision")
    if options.size == 32:
        print(f"the bar of {BAR:g} is {'met' if ratios['rocl'] >= BAR else 'MISSED'}")


if __name__ == "__main__":
    main()
