"""Labels that are published in a file instead of by class folders."""

import csv
import io
import warnings
from pathlib import PurePosixPath
from typing import Any

import torch

from trainables.data.pack.sources import Source

TINY = "val_annotations.txt"  # of Tiny ImageNet: name, class and a box, between tabs
DEVKIT = "ILSVRC2012_validation_ground_truth.txt"  # of ImageNet: a number for each image, in order
SYNSETS = "meta.mat"  # of the devkit: the class of each number
PARSED = "meta.bin"  # what torchvision keeps of the devkit
KAGGLE = "LOC_val_solution.csv"  # name; class and a box, again and again


def published_labels(source: Source, root: str, folder: str, names: list[str]) -> dict[str, str]:
    """Return the class of each image of a split; nothing where no file says it.

    Parameters
    ----------
    source : Source
    root, folder : str
        Of the data set and of the split, each with its ``/``.
    names : list of str
        Of the images.

    Raises
    ------
    ValueError
        With the end of a sentence that starts with the source's name.
    """
    if f"{folder}{TINY}" in source.files:
        return _by_file_name(_annotations(source, f"{folder}{TINY}"), names, f"{folder}{TINY}")
    if any("/" in name.removeprefix(folder) for name in names):
        return {}
    ends = {PurePosixPath(name).name: name for name in source.files if name.startswith(root)}
    if DEVKIT in ends and SYNSETS in ends:
        return _in_order(_devkit(source, ends[DEVKIT], ends[SYNSETS]), names, ends[DEVKIT])
    if PARSED in ends:
        return _in_order(_parsed(source, ends[PARSED]), names, ends[PARSED])
    if KAGGLE in ends:
        return _by_file_name(_solution(source, ends[KAGGLE]), names, ends[KAGGLE])
    return {}


def _annotations(source: Source, name: str) -> dict[str, str]:
    lines = [line.split("\t") for line in source.read(name).decode().splitlines() if line]
    if not all(len(line) >= 2 for line in lines):
        raise ValueError(f"has {name!r}, whose lines are not a file's name, a tab and its class.")
    return {line[0]: line[1] for line in lines}


def _solution(source: Source, name: str) -> dict[str, str]:
    table = csv.DictReader(io.StringIO(source.read(name).decode()))
    return {row["ImageId"]: row["PredictionString"].split()[0] for row in table}


def _devkit(source: Source, truth: str, synsets: str) -> list[str]:
    from scipy.io import loadmat  # takes a while to import

    try:
        rows = loadmat(io.BytesIO(source.read(synsets)), squeeze_me=True)["synsets"]
        known = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows}
        return [known[int(line)] for line in source.read(truth).split()]
    except Exception as error:  # scipy raises whatever it likes
        raise ValueError(f"has a devkit that cannot be read ({error!r}): {truth!r}.") from None


def _parsed(source: Source, name: str) -> list[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = torch.load(io.BytesIO(source.read(name)), weights_only=True)
        return [str(one) for one in found[1]]
    except Exception as error:  # as above
        raise ValueError(f"has {name!r}, which cannot be read ({type(error).__name__}).") from None


def _in_order(classes: list[str], names: list[str], file: str) -> dict[str, str]:
    if len(classes) != len(names):
        raise ValueError(
            f"has {len(names):,} validation images and labels of {len(classes):,} in {file!r}."
        )
    return dict(zip(sorted(names), classes, strict=True))


def _by_file_name(classes: dict[str, str], names: list[str], file: str) -> dict[str, str]:
    found = {}
    for name in names:
        path = PurePosixPath(name)
        kind = classes.get(path.name, classes.get(path.stem))
        if kind is None:
            raise ValueError(f"has the image {name!r}, of which {file!r} says nothing.")
        found[name] = kind
    return found
