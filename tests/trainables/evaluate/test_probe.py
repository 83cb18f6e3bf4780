"""Frozen features: neighbours, the linear optimum, and what is left of it under attack."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from trainables.attacks.balls import LinfBall
from trainables.attacks.pgd import PGD
from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.knn import knn_logits
from trainables.evaluate.linear import fit_linear
from trainables.evaluate.probe import FrozenProbe
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder


class Brightness(Encoder):
    """The mean pixel: a feature whose worst case under l-inf is known."""

    def __init__(self):
        super().__init__(num_features=1, mean=[0.0], std=[1.0])
        self.norm = nn.BatchNorm1d(1, affine=False)

    def forward(self, images):
        return self.norm(self.normalise(images).mean((1, 2, 3)).unsqueeze(1))


class Frozen(Method):
    def __init__(self):
        super().__init__()
        self.encoder = Brightness()


def grey_images(levels, labels):
    pixels = torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return ImageSet(pixels.contiguous(), torch.tensor(labels))


@pytest.fixture
def splits():
    # Dark and light images; the boundary lies half-way, at 127.5.
    train = grey_images([100, 105, 150, 155] * 8, [0, 0, 1, 1] * 8)
    val = grey_images([100, 115, 125, 130, 140, 155], [0, 0, 0, 1, 1, 1])
    return Splits(train, val, val, ("dark", "light"))


def probe(epsilon, **settings):
    attack = PGD(ball=LinfBall(epsilon=epsilon), step_size=epsilon / 2 or 1, steps=5, start="zero")
    return FrozenProbe(neighbours=3, temperature=0.1, penalty=1e-3, attack=attack, **settings)


def test_separable_images_are_all_right(splits):
    measures = probe(0.0)(Frozen(), splits)
    assert measures["val/accuracy"] == 1.0
    assert measures["val/robust_accuracy"] == 1.0


@pytest.mark.parametrize(("levels", "survivors"), [(1, 6), (5, 4), (11, 4), (14, 2), (40, 0)])
def test_robust_accuracy_is_the_share_farther_than_epsilon_from_the_boundary(
    splits, levels, survivors
):
    # Distances from the boundary, in levels: 27.5, 12.5, 2.5, 2.5, 12.5, 27.5.
    assert probe(levels / 255)(Frozen(), splits)["val/robust_accuracy"] == survivors / 6


def test_only_the_first_images_are_attacked_when_asked(splits):
    assert probe(14 / 255, max_images=2)(Frozen(), splits)["val/robust_accuracy"] == 0.5


def test_measuring_moves_neither_statistics_nor_modes_nor_random_streams(splits):
    method = Frozen().train()
    stream, mean = torch.get_rng_state(), method.encoder.norm.running_mean.clone()
    first = probe(0.05)(method, splits)
    assert probe(0.05)(method, splits) == first
    assert torch.equal(torch.get_rng_state(), stream)
    assert torch.equal(method.encoder.norm.running_mean, mean)
    assert method.encoder.training
    assert method.encoder.norm.training


def test_the_batch_size_of_the_attack_does_not_matter(splits):
    assert probe(0.05, batch_size=1)(Frozen(), splits) == probe(0.05)(Frozen(), splits)


def blobs(n=120):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 3
    centres = torch.randn(3, 5, generator=generator)
    return centres[labels] + 0.7 * torch.randn(n, 5, generator=generator), labels


def test_neighbours_vote_as_in_sklearn():
    features, labels = blobs()
    unit = F.normalize(features, dim=1).numpy()
    model = KNeighborsClassifier(
        7, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.1)
    ).fit(unit[:90], labels[:90])
    votes = knn_logits(
        features[90:], features[:90], labels[:90], num_classes=3, neighbours=7, temperature=0.1
    )
    shares = (votes / votes.sum(1, keepdim=True)).numpy()
    np.testing.assert_allclose(shares, model.predict_proba(unit[90:]), atol=1e-5)


def test_more_neighbours_than_images_is_everybody():
    features, labels = blobs(9)
    votes = knn_logits(features, features, labels, num_classes=3, neighbours=99, temperature=1.0)
    assert votes.shape == (9, 3)


def test_the_linear_layer_is_the_optimum_sklearn_finds():
    features, labels = blobs()
    penalty = 0.01
    layer = fit_linear(features, labels, num_classes=3, penalty=penalty)
    standard = (features - features.mean(0)) / features.std(0)
    model = LogisticRegression(C=1 / (penalty * len(features)), tol=1e-8, max_iter=1000)
    model.fit(standard.numpy(), labels.numpy())
    probabilities = layer(features).softmax(1).numpy()
    np.testing.assert_allclose(probabilities, model.predict_proba(standard.numpy()), atol=2e-3)
