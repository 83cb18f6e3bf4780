"""Classifiers that ask the training images, against formulas and sklearn."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toy_encoders import Flat, two_classes

from trainables.augment.crops import RandomResizedCrop
from trainables.augment.pipeline import Pipeline
from trainables.data.digits import digits
from trainables.data.image_set import Splits
from trainables.distributed import draw_rows
from trainables.networks.small_conv import SmallConv
from trainables.protocols.base import finish
from trainables.protocols.label_share import LabelShare
from trainables.protocols.neighbours import NearestNeighbours, NonParametric
from trainables.suite.masking import gradients_vanish


@pytest.fixture(scope="module")
def splits():
    whole = digits()
    return Splits(
        whole.train.rows(slice(200)), whole.val.rows(slice(40)), whole.test, whole.classes
    )


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return SmallConv(channels=1, widths=[8, 16], mean=[0.3], std=[0.4]).eval()


def features(encoder, images):
    with torch.no_grad():
        return encoder(images.pixels(slice(None)))


def npi_by_definition(rows, known, labels, temperature, num_classes):
    """The paper's formula, one scalar at a time."""
    result = []
    for x in rows:
        weights = [
            math.exp(F.cosine_similarity(x, other, dim=0).item() / temperature) for other in known
        ]
        of_class = [
            sum(w for w, label in zip(weights, labels, strict=True) if label == c)
            for c in range(num_classes)
        ]
        result.append([share / sum(weights) for share in of_class])
    return torch.tensor(result)


def logits_of(protocol, encoder, splits):
    with torch.no_grad():
        return finish(protocol(encoder, splits))(splits.val.pixels(slice(None)))


def test_npi_is_its_formula(encoder, splits):
    known = splits.train.rows(slice(30))
    few = Splits(known, splits.val.rows(slice(6)), splits.test, splits.classes)
    found = logits_of(NonParametric(temperature=0.1, augment=Pipeline()), encoder, few)
    expected = npi_by_definition(
        features(encoder, few.val), features(encoder, known), known.labels, 0.1, 10
    )
    torch.testing.assert_close(found.exp(), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(6))


def test_npi_of_known_images_at_low_temperature_is_their_label(encoder, splits):
    same = Splits(splits.train, splits.train, splits.test, splits.classes)
    found = logits_of(NonParametric(temperature=1e-3, augment=Pipeline()), encoder, same)
    assert torch.equal(found.argmax(1), splits.train.labels)


def test_views_that_are_alike_change_nothing_and_others_do(encoder, splits):
    plain, crop = Pipeline(), Pipeline(transforms={"crop": RandomResizedCrop(scale_min=0.3)})
    one = logits_of(NonParametric(temperature=0.1, augment=plain), encoder, splits)
    three = logits_of(NonParametric(temperature=0.1, augment=plain, views=3), encoder, splits)
    torch.testing.assert_close(one, three)
    cropped = [
        logits_of(NonParametric(temperature=0.1, augment=crop, **kind), encoder, splits)
        for kind in ({}, {"views": 2}, {"seed": 1})
    ]
    assert not any(torch.allclose(one, other) for other in cropped)
    assert not torch.allclose(cropped[0], cropped[1])
    assert not torch.allclose(cropped[0], cropped[2])


def test_npi_can_be_attacked(encoder, splits):
    classifier = finish(NonParametric(temperature=0.1, augment=Pipeline())(encoder, splits))
    images = splits.val.pixels(slice(5)).requires_grad_()
    F.cross_entropy(classifier(images), splits.val.labels[:5]).backward()
    assert images.grad.isfinite().all()
    assert images.grad.flatten(1).any(dim=1).all()


def test_neighbours_vote_as_in_sklearn(encoder, splits):
    from sklearn.neighbors import KNeighborsClassifier  # 3 s that ranks do without

    unit = F.normalize(features(encoder, splits.train), dim=1).numpy()
    model = KNeighborsClassifier(
        20, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.07)
    ).fit(unit, splits.train.labels)
    found = logits_of(NearestNeighbours(neighbours=20, temperature=0.07), encoder, splits)
    rows = F.normalize(features(encoder, splits.val), dim=1).numpy()
    np.testing.assert_allclose(found.softmax(1).numpy(), model.predict_proba(rows), atol=1e-4)


def share_without_gradient(classifier, images):
    x = images.pixels(slice(None)).requires_grad_()
    F.cross_entropy(classifier(x), images.labels, reduction="sum").backward()
    return (x.grad.flatten(1) == 0).all(dim=1).float().mean().item()


def test_neighbours_who_agree_mask_the_gradient_and_that_is_called_out(encoder, splits):
    voting = finish(NearestNeighbours(neighbours=5, temperature=0.07)(encoder, splits))
    similar = finish(NonParametric(temperature=0.1, augment=Pipeline())(encoder, splits))
    assert gradients_vanish(share_without_gradient(voting, splits.val)) != []
    assert gradients_vanish(share_without_gradient(similar, splits.val)) == []


def noisy(images):
    return images + 0.1 * draw_rows(lambda n: torch.rand(n, *images.shape[1:]), len(images))


def npi_on_ranks():
    classifier = finish(NonParametric(temperature=0.1, augment=noisy)(Flat(), two_classes()))
    return classifier(two_classes().val.pixels(slice(None))).detach()


def test_two_ranks_ask_the_views_that_one_does(run_ranks):
    first, second = run_ranks(npi_on_ranks)
    assert torch.equal(first, second)
    torch.testing.assert_close(first, npi_on_ranks(), atol=1e-5, rtol=1e-5)


def test_only_those_with_a_label_are_asked(encoder, splits):
    share = LabelShare(fraction=0.5)
    few = Splits(share.of(splits.train), splits.val, splits.test, splits.classes)
    for kind in (
        {"neighbours": 5, "temperature": 0.1},
        {"augment": Pipeline(), "temperature": 0.1},
    ):
        protocol = NearestNeighbours if "neighbours" in kind else NonParametric
        found = logits_of(protocol(**kind, labels=share), encoder, splits)
        assert torch.equal(found, logits_of(protocol(**kind), encoder, few))


@pytest.mark.parametrize("settings", [{"temperature": 0.0}, {"temperature": 1.0, "views": 0}])
def test_what_cannot_be_is_refused(settings):
    with pytest.raises(ValueError, match=f"{[*settings][-1]} must be a"):
        NonParametric(augment=Pipeline(), **settings)


@pytest.mark.parametrize("wrong", [{"neighbours": 0}, {"temperature": 0.0}])
def test_neighbours_that_cannot_vote_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a"):
        NearestNeighbours(**{"neighbours": 5, "temperature": 0.1, **wrong})
