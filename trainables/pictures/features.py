"""A map of feature space."""

import importlib
import importlib.util
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.features import encode
from trainables.pictures.figures import Scatter
from trainables.pictures.subject import Subject, refuse_bad_settings, some_classes

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TSNEMap:
    """Validation features in the plane by t-SNE [1]_.

    Parameters
    ----------
    images : int
        At most, evenly spaced among those of the classes shown.
    classes : int
        At most; more cannot be distinguished by colour.
    perplexity : float
        Effective number of neighbours, "typically between 5 and 50" [1]_; with few images less.
    seed : int

    References
    ----------
    .. [1] van der Maaten & Hinton 2008, "Visualizing Data using t-SNE", JMLR 9.
    """

    images: int = 2000
    classes: int = 20
    perplexity: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_bad_settings(self)

    def __call__(self, subject: Subject) -> Scatter:
        """Return the map."""
        return _map(self, subject, "t-SNE", f"perplexity {self.perplexity:g}")

    def place(self, features: Tensor) -> Tensor:
        """Return points in the plane, shape (N, 2), for features (N, D)."""
        points = _standardised(features)
        if points is None:
            return torch.zeros(len(features), 2)
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        perplexity = min(self.perplexity, (len(features) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=self.seed, n_jobs=1)
        with threadpool_limits(1):  # sums of several threads differ in their last digits
            return torch.from_numpy(tsne.fit_transform(points))


@dataclass(frozen=True, kw_only=True)
class UMAPMap:
    """Validation features in the plane by UMAP [1]_, where umap-learn is installed.

    Parameters
    ----------
    images, classes, seed : int
        As for `TSNEMap`.
    neighbours : int
        The package's own default.

    References
    ----------
    .. [1] McInnes, Healy & Melville 2018, arXiv:1802.03426.
    """

    images: int = 2000
    classes: int = 20
    neighbours: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_bad_settings(self)

    def __call__(self, subject: Subject) -> Scatter:
        """Return the map."""
        return _map(self, subject, "UMAP", f"{self.neighbours} neighbours")

    @staticmethod
    def is_installed() -> bool:
        """Return whether there is a umap-learn."""
        return importlib.util.find_spec("umap") is not None

    def place(self, features: Tensor) -> Tensor:
        """Return points in the plane, shape (N, 2), for features (N, D)."""
        points = _standardised(features)
        if points is None:
            return torch.zeros(len(features), 2)
        umap = importlib.import_module("umap").UMAP(
            n_neighbors=min(self.neighbours, len(features) - 1), random_state=self.seed, n_jobs=1
        )
        return torch.from_numpy(umap.fit_transform(points))


def _map(settings: TSNEMap | UMAPMap, subject: Subject, name: str, how: str) -> Scatter:
    val = subject.images.labelled
    shown = some_classes(val, settings.classes)
    rows = torch.isin(val.labels, torch.tensor(shown, device=val.labels.device)).nonzero()
    chosen = val.rows(rows.squeeze(1)).evenly(settings.images)
    with subject.at_rest(settings.seed):
        features = encode(subject.encoder, chosen)
        points = settings.place(features)
    every = subject.splits.num_classes
    some = f" of {len(shown)} of {every} classes" if len(shown) < every else ""
    return Scatter(
        title=f"{name} of validation features",
        note=f"{len(chosen)} images{some}, {features.shape[1]} features, {how}",
        points=points,
        labels=chosen.labels.cpu(),
        classes=subject.class_names,
    )


def _standardised(features: Tensor) -> Array | None:
    """Return features around 0 of size 1, or None if they have collapsed into one point.

    Raises
    ------
    ValueError
        If some are not finite.
    """
    if not features.isfinite().all():
        raise ValueError("the features of some images are not finite.")
    centred = features.double().cpu() - features.double().cpu().mean(dim=0)
    size = centred.abs().max()
    # scikit-learn divides by it, and crashes on what comes out.
    return (centred / size).float().numpy() if size > 0 else None
