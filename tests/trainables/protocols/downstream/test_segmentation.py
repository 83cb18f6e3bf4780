"""The linear segmentation probe on drawn images."""

import functools
import itertools

import pytest
import torch
from annotated_folders import voc12_folder
from torch import nn

from trainables.data.annotated.voc import read_segments, voc12
from trainables.networks.encoder import Encoder
from trainables.networks.small_conv import SmallConv
from trainables.optim.schedules import Constant
from trainables.protocols.base import finish
from trainables.protocols.downstream.segmentation import SegmentationProbe
from trainables.protocols.fitting import Fit

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return voc12_folder(tmp_path_factory.mktemp("voc12"))


def splits_of(root):
    return voc12(root=str(root)).of("segments")


def encoder():
    torch.manual_seed(0)
    return SmallConv(channels=3, widths=[8, 16], mean=[0.5] * 3, std=[0.25] * 3)


def probe(epochs=2, batch_size=4):
    fit = Fit(
        optimizer=functools.partial(torch.optim.SGD, lr=1.0, momentum=0.9),
        lr_schedule=Constant(),
        max_epochs=epochs,
        batch_size=batch_size,
    )
    return SegmentationProbe(fit=fit, image_size=32, scales=(0.8, 1.2))


class OneClass(nn.Module):
    """Says that everything is of one class."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def forward(self, images):
        logits = torch.zeros(len(images), 21, *images.shape[2:])
        logits[:, self.place] = 1
        return logits


def test_the_score_is_intersection_over_union_of_all_pixels_that_count(root):
    splits = splits_of(root)
    all_ = torch.cat([read_segments(m, (48, 64)).flatten() for m in splits.test.annotations])
    counted = all_[all_ != 255]
    share = (counted == 1).sum().item() / len(counted)
    scores = probe().scores(OneClass(1), splits, CPU)
    assert scores == pytest.approx(
        {"mIoU": share / 3, "IoU/background": 0, "IoU/aeroplane": share, "IoU/bicycle": 0}
    )


def test_it_learns_what_the_features_tell_and_the_encoder_stays(root):
    splits, frozen = splits_of(root), encoder()
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    network = finish(probe(30)(frozen, splits, CPU))
    assert probe().scores(network, splits, CPU)["mIoU"] > 0.6
    for state in (frozen.state_dict(), network.encoder.state_dict()):
        assert all(torch.equal(state[name], value) for name, value in before.items())


@pytest.mark.parametrize("places", [1, 2, 3])  # inside the first epoch, after it, in the second
def test_interrupted_is_uninterrupted_bit_for_bit(root, places):
    splits = splits_of(root)
    straight = finish(probe(batch_size=2)(encoder(), splits, CPU))
    first = probe(batch_size=2)(encoder(), splits, CPU)
    found = list(itertools.islice(first.stretches(1), places))
    assert [result is None for result in found] == [True, False, True][:places]
    second = probe(batch_size=2)(encoder(), splits, CPU)
    second.load_state_dict(first.state_dict())
    for name, value in straight.state_dict().items():
        assert torch.equal(finish(second).state_dict()[name], value), name


def weights_and_scores(root):
    splits = splits_of(root)
    network = finish(probe()(encoder(), splits, CPU))
    return network.layer.weight.detach().clone(), probe().scores(network, splits, CPU)


def test_two_ranks_train_as_one_process_does(root, run_ranks):
    weight, scores = weights_and_scores(root)
    for found, reached in run_ranks(weights_and_scores, root):
        torch.testing.assert_close(found, weight, atol=1e-5, rtol=1e-4)
        assert reached == pytest.approx(scores, abs=1e-3)


class Opaque(Encoder):
    def forward(self, images):
        return images.flatten(1)


def test_an_encoder_without_stages_is_named(root):
    opaque = Opaque(num_features=3, mean=[0.5], std=[0.5])
    with pytest.raises(ValueError, match="the encoder Opaque has no `stages`"):
        probe()(opaque, splits_of(root), CPU)


@pytest.mark.parametrize("wrong", [{"image_size": 0}, {"scales": (2.0, 1.0)}, {"scales": (1.0,)}])
def test_settings_that_cannot_be_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"protocol.{next(iter(wrong))}"):
        SegmentationProbe(fit=probe().fit, **wrong)
