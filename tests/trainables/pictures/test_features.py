"""A map of feature space keeps neighbours together."""

import importlib.util
from dataclasses import replace

import pytest
import torch
from picture_subjects import linear_subject

from trainables.data.image_set import ImageSet, Splits
from trainables.pictures.features import TSNEMap, UMAPMap


def blobs(rows=60, classes=3):
    """Return features far apart by class, and the classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % classes
    return 10 * torch.eye(8)[labels] + 0.1 * torch.randn(rows, 8, generator=generator), labels


def test_nearest_neighbours_on_the_map_are_of_the_same_class():
    features, labels = blobs()
    points = TSNEMap().place(features)
    nearest = torch.cdist(points, points).fill_diagonal_(torch.inf).argmin(dim=1)
    assert torch.equal(labels[nearest], labels)


def test_the_same_seed_gives_the_same_map():
    features, _ = blobs(30)
    assert torch.equal(TSNEMap().place(features), TSNEMap().place(features))


def test_collapsed_features_lie_in_one_point():
    assert torch.equal(TSNEMap().place(torch.full((50, 8), 3.7)), torch.zeros(50, 2))


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        TSNEMap().place(torch.full((50, 8), torch.nan))


def test_many_classes_are_thinned_out_evenly():
    labels = torch.arange(100).repeat(2)
    images = ImageSet(torch.randint(0, 256, (200, 1, 3, 3)).to(torch.uint8), labels)
    splits = Splits(images, images, images, tuple(map(str, range(100))))
    scatter = TSNEMap(classes=5)(replace(linear_subject(), splits=splits))
    assert sorted(set(scatter.labels.tolist())) == [0, 20, 40, 60, 80]
    assert len(scatter.points) == 10
    assert "5 of 100 classes" in scatter.note


@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="needs umap-learn")
def test_umap_keeps_classes_together_too():
    features, labels = blobs()
    points = UMAPMap().place(features)
    nearest = torch.cdist(points, points).fill_diagonal_(torch.inf).argmin(dim=1)
    assert torch.equal(labels[nearest], labels)
