"""Detection on a drawn COCO: targets, scores, and a fitting of every kind, on two ranks too."""

import functools
import itertools
import sys
from dataclasses import replace

import pytest
import torch
from annotated_folders import coco_folder
from torch import nn

from trainables.data.annotated.coco import coco
from trainables.networks.resnet import ResNet
from trainables.networks.small_conv import SmallConv
from trainables.optim.schedules import Constant
from trainables.protocols.base import finish
from trainables.protocols.downstream.coco_targets import targets_of
from trainables.protocols.downstream.detection import Detection
from trainables.protocols.downstream.detector import Pyramid, Sizes
from trainables.protocols.fitting import Fit

CPU = torch.device("cpu")
SIZES = Sizes(shorter=[48, 64], longer=64, width=8, regions=8, detections=4)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return coco_folder(tmp_path_factory.mktemp("coco"))


def splits_of(root, task):
    return coco(root=str(root)).of(task)


def encoder():
    torch.manual_seed(0)
    return SmallConv(channels=3, widths=[4, 8], mean=[0.5] * 3, std=[0.25] * 3)


def detection(task="instances", epochs=1, **more):
    fit = Fit(
        optimizer=functools.partial(torch.optim.SGD, lr=0.01, momentum=0.9),
        lr_schedule=Constant(),
        max_epochs=epochs,
        batch_size=2,
    )
    return Detection(fit=fit, task=task, sizes=SIZES, **more)


class Knowing(nn.Module):
    """Finds exactly what is annotated in the next image."""

    def __init__(self, images, task):
        super().__init__()
        self.rows = iter(range(len(images)))
        self.images = images
        self.task = task

    def forward(self, given):
        row = next(self.rows)
        scene = self.images.annotations[row]
        if not scene.instances:
            return [
                {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0), "scores": torch.zeros(0)}
            ]
        file = self.images.files[row]
        found = targets_of(scene, self.task, given[0], file, mirror=False)
        found["scores"] = torch.ones(len(found["boxes"]))
        if "masks" in found:
            found["masks"] = found["masks"][:, None].float()
        return [found]


@pytest.mark.parametrize(("task", "kind"), [("instances", "segm"), ("keypoints", "keypoints")])
def test_who_finds_all_that_is_annotated_reaches_one(root, task, kind):
    splits = splits_of(root, task)
    scores = detection(task).scores(Knowing(splits.test, task), splits, CPU)
    names = {f"{one}/{name}" for one in ("bbox", kind) for name in ("AP", "AP50", "AP75")}
    assert scores == pytest.approx(dict.fromkeys(names, 1.0))


def test_who_finds_nothing_reaches_zero(root):
    class Blind(nn.Module):
        def forward(self, given):
            none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0), "scores": torch.zeros(0)}
            return [none for _ in given]

    scores = detection().scores(Blind(), splits_of(root, "instances"), CPU)
    assert set(scores.values()) == {0.0}


def test_targets_of_a_mirrored_image_are_the_mirrored_targets(root):
    splits = splits_of(root, "instances")
    image, scene, file = (
        splits.train.image(0),
        splits.train.annotations[0],
        splits.train.files[0],
    )
    plain, mirrored = (targets_of(scene, "instances", image, file, mirror=m) for m in (0, 1))
    assert mirrored["boxes"][0].tolist() == [64 - 30, 8, 64 - 6, 40]
    assert torch.equal(mirrored["masks"], plain["masks"].flip(-1))
    # A mask is where the image is red.
    red = image.float()[:, plain["masks"][0].bool()].mean(dim=1)
    assert red[0] > 150 > red[1]
    persons = splits_of(root, "keypoints").train
    points = [
        targets_of(persons.annotations[0], "keypoints", persons.image(0), file, mirror=m)[
            "keypoints"
        ][0]
        for m in (0, 1)
    ]
    nose, left_eye, right_eye, left_ankle, right_ankle = (
        points[0][k].tolist() for k in (0, 1, 2, 15, 16)
    )
    assert points[1][0].tolist() == pytest.approx([64 - nose[0], nose[1], 2])
    assert points[1][2].tolist() == pytest.approx([64 - left_eye[0], left_eye[1], 2])
    assert points[1][1].tolist() == pytest.approx([64 - right_eye[0], right_eye[1], 2])
    # Not annotated: it changes places and stays at 0, 0.
    assert right_ankle == points[1][15].tolist() == [0, 0, 0]
    assert points[1][16].tolist() == pytest.approx([64 - left_ankle[0], left_ankle[1], 2])


def test_an_image_of_another_size_than_annotated_is_named(root):
    images = splits_of(root, "instances").train
    with pytest.raises(ValueError, match=r"000000000001.jpg is 9x5 pixels, .* of 64x64"):
        targets_of(
            images.annotations[0],
            "instances",
            torch.zeros(3, 5, 9),
            images.files[0],
            mirror=False,
        )


def test_runs_that_are_no_mask_are_refused_with_the_images_name(root):
    images = splits_of(root, "instances").train
    scene, file = images.annotations[0], images.files[0]
    for counts in ([0, 4], [0, 10**7], [0, 4, -5], "zzz~~~", None):
        runs = {"counts": counts, "size": [64, 64]}
        broken = replace(scene, instances=(replace(scene.instances[0], segments=runs),))
        with pytest.raises(ValueError, match=r"a mask of .*000000000001.jpg"):
            targets_of(broken, "instances", images.image(0), file, mirror=False)


def test_interrupted_is_uninterrupted_bit_for_bit(root):
    splits, protocol = splits_of(root, "instances"), detection(epochs=2)
    straight = protocol(encoder(), splits, CPU)
    expected = [result.metrics for result in straight.epochs()]
    assert expected[0]["train/loss"] > 0
    first = protocol(encoder(), splits, CPU)
    list(itertools.islice(first.epochs(), 1))
    torch.randn(3)
    second = protocol(encoder(), splits, CPU)
    second.load_state_dict(first.state_dict())
    assert [result.metrics for result in second.epochs()] == expected[1:]
    for name, value in straight.classifier.state_dict().items():
        assert torch.equal(second.classifier.state_dict()[name], value), name


def test_every_part_learns_the_encoder_too(root):
    own = encoder()
    network = finish(detection()(own, splits_of(root, "instances"), CPU))
    start = encoder().state_dict()
    assert all(torch.equal(own.state_dict()[name], value) for name, value in start.items())
    trained = network.backbone.encoder
    assert not any(torch.equal(p, start[name]) for name, p in trained.named_parameters())


def weights_and_scores(root, task):
    splits = splits_of(root, task)
    network = finish(detection(task)(encoder(), splits, CPU))
    kinds = {type(part).__name__ for part in network.backbone.modules()}
    weights = torch.cat([value.detach().flatten()[:50] for value in network.parameters()])
    buffers = torch.cat([value.flatten().float() for value in network.backbone.buffers()])
    return weights, buffers, detection(task).scores(network, splits, CPU), kinds


@pytest.mark.parametrize("task", ["instances", "keypoints"])
def test_two_ranks_end_with_one_network_and_one_score(root, run_ranks, task):
    first, second = run_ranks(weights_and_scores, root, task)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert first[2] == second[2]
    assert "GlooSyncBatchNorm" in first[3]
    assert "BatchNorm2d" not in first[3]


def test_the_2x_schedule_is_twice_the_1x(root):
    splits = splits_of(root, "instances")
    epochs = [
        detection(epochs=3, schedule=name)(encoder(), splits, CPU).max_epochs
        for name in ("1x", "2x")
    ]
    assert epochs == [3, 6]


@pytest.mark.parametrize(
    ("body", "sides"),
    [
        (ResNet(depth=18, stem="imagenet", channels=3, mean=[0.5], std=[0.5]), [16, 8, 4, 2, 1]),
        (ResNet(depth=18, stem="cifar", channels=3, mean=[0.5], std=[0.5]), [64, 32, 16, 8, 4]),
        (
            SmallConv(channels=3, widths=[2, 2, 2, 2, 2, 2], mean=[0.5], std=[0.5]),
            [16, 8, 4, 2, 1],
        ),
    ],
)
def test_a_pyramid_stands_on_the_last_four_stages(body, sides):
    maps = Pyramid(body, 3, 8)(torch.zeros(2, 3, 64, 64)).values()
    assert [one.shape for one in maps] == [(2, 8, side, side) for side in sides]


def test_the_last_stage_is_what_the_features_are_the_mean_of():
    for body in (encoder(), ResNet(depth=18, stem="cifar", channels=3, mean=[0.5], std=[0.5])):
        images = torch.rand(2, 3, 16, 16)
        maps = body.eval().stages(body.normalise(images))
        torch.testing.assert_close(maps[-1].mean(dim=(2, 3)), body(images))


def test_without_the_library_one_sentence_says_how_to_install_it(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(ValueError, match=r"pip install 'raystudy\[detection\]'"):
        detection()(encoder(), splits_of(root, "instances"), CPU)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"schedule": "3x"}, "protocol.schedule"), ({"task": "boxes"}, "protocol.task")],
)
def test_settings_that_cannot_be_are_refused_by_name(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        Detection(**{"fit": detection().fit, "task": "instances", "sizes": SIZES, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"shorter": [], "longer": 9},
        {"shorter": [64, 32], "longer": 99},
        {"shorter": [64], "longer": 32},
        {"shorter": [8], "longer": 8, "width": 0},
    ],
)
def test_sizes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"protocol\.sizes"):
        Sizes(**wrong)
