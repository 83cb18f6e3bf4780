"""Linear SVMs on VOC 2007: the measure by its definition, the fitting on drawn images."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from annotated_folders import voc07_folder
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.annotated.voc import voc07
from trainables.networks.small_conv import SmallConv
from trainables.protocols.base import finish
from trainables.protocols.downstream.linear_svms import LinearSVMs, eleven_point_precision

CPU = torch.device("cpu")
CLASSES = 3  # of the 20, to be quick


def by_definition(scores, labels):
    """The mean over eleven recalls of the best precision at that recall and above."""
    ranked = [label for _, label in sorted(zip(-scores, labels, strict=True)) if label]
    points = [
        (ranked[:k].count(1) / ranked.count(1), ranked[:k].count(1) / k)
        for k in range(1, len(ranked) + 1)
    ]
    best = [max((p for r, p in points if r >= level / 10 - 1e-9), default=0) for level in range(11)]
    return sum(best) / 11


@given(st.lists(st.sampled_from([1, -1, 0]), min_size=1, max_size=12), st.randoms())
def test_the_measure_is_the_eleven_point_average(labels, random):
    labels = [1, *labels]
    scores = np.array(random.sample(range(100), len(labels))) / 10
    found = eleven_point_precision(scores, np.array(labels))
    assert found == pytest.approx(by_definition(scores, labels))


def test_a_perfect_ranking_is_one_whatever_difficult_images_get():
    assert eleven_point_precision(np.array([9, 3, 2, 1]), np.array([0, 1, 1, -1])) == 1
    assert eleven_point_precision(np.array([1, 2]), np.array([1, -1])) == 0.5


def splits_of(root):
    whole = voc07(root=str(root)).of("classes")
    train, test = (
        replace(part, annotations=[labels[:CLASSES] for labels in part.annotations])
        for part in (whole.train, whole.test)
    )
    return replace(whole, train=train, test=test, classes=whole.classes[:CLASSES])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return voc07_folder(tmp_path_factory.mktemp("voc"), size=(24, 20))


def encoder():
    torch.manual_seed(0)
    return SmallConv(channels=3, widths=[4, 8], mean=[0.5] * 3, std=[0.25] * 3)


PROTOCOL = LinearSVMs(costs=[0.01, 1.0], image_size=8)


def test_a_class_that_features_tell_is_found_and_others_are_not(root):
    splits = splits_of(root)
    network = finish(PROTOCOL(encoder(), splits, CPU))
    scores = PROTOCOL.scores(network, splits, CPU)
    assert scores["AP/aeroplane"] == 1
    assert scores["AP/bird"] < 0.9
    assert scores["mAP"] == pytest.approx(np.mean([scores[f"AP/{c}"] for c in splits.classes]))
    assert network(torch.rand(2, 3, 8, 8)).shape == (2, CLASSES)


def test_the_cost_is_that_of_the_best_cross_validation():
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import LinearSVC

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), np.where(rng.random(30) < 0.4, 1, -1)
    x[:, 0] += y
    labels = np.append(y, [0, 0])  # two difficult images, which must not be seen
    protocol = LinearSVMs(costs=[1e-5, 0.1, 100.0])
    _, cost = protocol.chosen_machine(np.vstack([x, np.full((2, 4), 1e6)]), labels)

    def reached(cost):
        machine = LinearSVC(C=cost, class_weight={1: 2, -1: 1}, max_iter=2000, random_state=0)
        return np.mean(
            [
                average_precision_score(
                    y[held], machine.fit(x[rest], y[rest]).decision_function(x[held])
                )
                for rest, held in StratifiedKFold(3).split(x, y)
            ]
        )

    assert cost == max(protocol.costs, key=reached)


def test_interrupted_is_uninterrupted(root):
    splits = splits_of(root)
    straight = finish(PROTOCOL(encoder(), splits, CPU))
    first = PROTOCOL(encoder(), splits, CPU)
    assert [r.epoch for r in itertools.islice(first.epochs(), 2)] == [1, 2]
    second = PROTOCOL(encoder(), splits, CPU)
    second.load_state_dict(first.state_dict())
    assert [r.epoch for r in second.epochs()] == [3]
    for name, value in straight.state_dict().items():
        assert torch.equal(second.classifier.state_dict()[name], value)


def weights_and_scores(root):
    splits = splits_of(root)
    network = finish(PROTOCOL(encoder(), splits, CPU))
    return network.head.weight.clone(), PROTOCOL.scores(network, splits, CPU)


def test_two_ranks_fit_the_machines_of_one_process(root, run_ranks):
    weight, scores = weights_and_scores(root)
    for found, reached in run_ranks(weights_and_scores, root):
        torch.testing.assert_close(found, weight, atol=1e-4, rtol=1e-3)
        assert reached == pytest.approx(scores)


def test_a_class_that_too_few_images_have_is_named(root):
    with pytest.raises(ValueError, match=r"protocol.folds=7 .* of 'aeroplane' there are 6"):
        replace(PROTOCOL, folds=7)(encoder(), splits_of(root), CPU)
    splits = splits_of(root)
    for labels in splits.test.annotations:
        labels[1] = -1
    with pytest.raises(ValueError, match="no test image has a 'bicycle'"):
        PROTOCOL(encoder(), splits, CPU)


@pytest.mark.parametrize(
    "wrong",
    [{"costs": []}, {"costs": [0.0]}, {"folds": 1}, {"image_size": 0}, {"positive_weight": -1.0}],
)
def test_settings_that_cannot_be_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"protocol.{next(iter(wrong))}"):
        LinearSVMs(**{"costs": [1.0], **wrong})
