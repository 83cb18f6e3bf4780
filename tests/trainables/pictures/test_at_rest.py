"""Looking moves neither networks nor random streams, and gives the same twice."""

import pytest
import torch
from picture_subjects import linear_subject
from torch import nn
from toy_methods import Normed

from trainables.data.image_set import ImageSet, Splits
from trainables.pictures.adversarial import AdversarialExamples
from trainables.pictures.drawing import draw
from trainables.pictures.features import TSNEMap
from trainables.pictures.interpolation import Interpolation
from trainables.pictures.large import LargePerturbations
from trainables.pictures.subject import (
    Subject,
    one_of_each,
    some_classes,
    with_linear_layer,
)
from trainables.pictures.views import Views
from trainables.pictures.visualisation import FeatureVisualisation
from trainables.protocols.base import Classifier

PICTURES = [
    TSNEMap(),
    AdversarialExamples(),
    FeatureVisualisation(steps=3, features=2),
    Interpolation(steps=4, images=3),
    LargePerturbations(steps=3),
    Views(),
]


def subject():
    """Return networks with batch norm in train mode, which a forward pass would move."""
    torch.manual_seed(0)
    encoder = Normed()
    toy = linear_subject()
    head = nn.Linear(encoder.num_features, 3)
    return Subject(
        encoder=encoder,
        splits=toy.splits,
        classifier=Classifier(encoder, head).train(),
        augmentations={"augment": lambda x: (x + 0.1 * torch.rand_like(x)).clamp(0, 1)},
    )


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: type(picture).__name__)
def test_looking_leaves_everything_as_it_was(picture):
    seen = subject()
    weights = {name: value.clone() for name, value in seen.classifier.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = draw(picture(seen), "x")
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(v, weights[n]) for n, v in seen.classifier.state_dict().items())
    assert all(part.training for part in seen.classifier.modules())
    assert all(parameter.grad is None for parameter in seen.classifier.parameters())
    assert draw(picture(seen), "x") == first


def test_one_image_of_each_class_is_drawn():
    images = ImageSet(torch.zeros(9, 1, 2, 2, dtype=torch.uint8), torch.tensor([2, 0, 5] * 3))
    rows = one_of_each(images, [0, 2, 5])
    assert images.labels[rows].tolist() == [0, 2, 5]


def test_classes_are_spread_evenly_over_those_that_occur():
    images = ImageSet(torch.zeros(50, 1, 2, 2, dtype=torch.uint8), 2 * torch.arange(50))
    assert some_classes(images, 5) == [0, 20, 40, 60, 80]
    assert some_classes(images, 100) == list(range(0, 100, 2))


def test_a_linear_layer_is_fitted_where_there_is_no_classifier():
    toy = linear_subject()
    classifier = with_linear_layer(toy.encoder, toy.splits)
    with torch.no_grad():
        said = classifier(toy.images.pixels(slice(None))).argmax(dim=1)
    assert torch.equal(said, toy.images.labels)


def test_a_picture_of_a_classifier_says_that_there_is_none():
    toy = linear_subject()
    bare = Subject(encoder=toy.encoder, splits=Splits(*[toy.images] * 3, ("a", "b", "c")))
    with pytest.raises(ValueError, match="needs a classifier"):
        LargePerturbations(steps=1)(bare)
