"""Images of any sizes in files, and what is annotated in each of them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.data.decoder import Decoder
from trainables.data.image_set import ImageSet
from trainables.data.pack.threads import pool

DATA_OF = {"classes": "voc07", "segments": "voc12", "instances": "coco", "keypoints": "coco"}


@dataclass(frozen=True, eq=False)
class AnnotatedImages:
    """Image files, read when they are asked for.

    Parameters
    ----------
    files : sequence of N Path
    annotations : sequence of N
        What is annotated in each; of which kind, the task says.
    channels : {1, 3}
        Grey or colour.
    """

    files: Sequence[Path]
    annotations: Sequence[Any]
    channels: int

    def __len__(self) -> int:
        """Return N."""
        return len(self.files)

    def read(self, rows: Sequence[int]) -> list[Tensor]:
        """Return chosen images, each (C, H, W), uint8; threads share the work."""
        return list(pool(torch.get_num_threads()).map(self.image, rows))

    def image(self, row: int) -> Tensor:
        """Return an image, shape (C, H, W), uint8.

        Raises
        ------
        ValueError
            That names the file, if it cannot be read.
        """
        decoder = Decoder(image_size=None, channels=self.channels, convert=True)
        try:
            return torch.from_numpy(decoder(self.files[row]).copy())
        except ValueError as error:
            raise ValueError(f"{self.files[row]} {error}.") from None

    def rows(self, device: torch.device) -> ImageSet:
        """Return the row numbers in the place of images, for whoever reads the images by them."""
        numbers = torch.arange(len(self), device=device)
        return RowNumbers(numbers.view(-1, 1, 1, 1), torch.zeros_like(numbers))


class RowNumbers(ImageSet):
    """Row numbers (N, 1, 1, 1) in the place of images."""

    def pixels(self, rows: Tensor | slice) -> Tensor:
        """Return the chosen numbers as they are."""
        return self.resident[rows]


@dataclass(frozen=True, eq=False)
class AnnotatedSplits:
    """What a network is fitted to and what it is measured on.

    Parameters
    ----------
    train, test : AnnotatedImages
    classes : tuple of str
        Without a background.
    fingerprint : str
        Of names and sizes of the files, and of all that is annotated.
    truth : Path, optional
        The file of what is annotated in the test images, for those who score by it.
    """

    train: AnnotatedImages
    test: AnnotatedImages
    classes: tuple[str, ...]
    fingerprint: str
    truth: Path | None = None


@dataclass(frozen=True, eq=False)
class AnnotatedData:
    """What is annotated in a data set, by task; read when it is asked for.

    Parameters
    ----------
    name : str
        What ``data=`` calls it.
    tasks : mapping of str to callable
    """

    name: str
    tasks: Mapping[str, Callable[[], AnnotatedSplits]]

    def of(self, task: str) -> AnnotatedSplits:
        """Return the images with what is annotated for one task.

        Raises
        ------
        ValueError
            If there is no such thing, or whatever is wrong with the files.
        """
        if task not in self.tasks:
            raise ValueError(
                f"data={self.name} has {' and '.join(self.tasks)}, not {task}; choose "
                f"data={DATA_OF[task]}."
            )
        return self.tasks[task]()


def read_text(path: Path, advice: str) -> str:
    """Return a text file's content.

    Raises
    ------
    ValueError
        That names the file and ends with the advice.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text; {advice}.") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); {advice}.") from None


def refuse_missing(files: Sequence[Path], annotation: str) -> None:
    """Refuse an annotation of an image that is not there; each folder is listed once.

    Raises
    ------
    ValueError
        Names the first such image.
    """
    there = {folder: _names(folder) for folder in {file.parent for file in files}}
    missing = [file for file in files if file.name not in there[file.parent]]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"{annotation} lists {missing[0].name}{more}, which {missing[0].parent} does not hold; "
            f"put the image there, or take it off the list."
        )


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()


def fingerprint(files: Sequence[Path], annotated: str | bytes) -> str:
    """Return what two sets share only if names, sizes and annotations are the same."""
    digest = hashlib.sha256(annotated if isinstance(annotated, bytes) else annotated.encode())
    for file in files:
        digest.update(ascii((file.name, file.stat().st_size)).encode())
    return digest.hexdigest()[:12]
