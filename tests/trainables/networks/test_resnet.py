"""ResNets: sizes and costs as published, weights that torchvision can load."""

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from trainables.networks.resnet import ResNet

STATISTICS = {"mean": [0.4914, 0.4822, 0.4465], "std": [0.2023, 0.1994, 0.2010]}


def resnet(depth, stem="cifar", **options):
    return ResNet(depth=depth, stem=stem, channels=3, **STATISTICS, **options)


def flops(fn):
    """Multiplications and additions of convolutions and matrix products, as torch counts."""
    with FlopCounterMode(display=False) as counter:
        fn()
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("depth", "millions", "num_features"), [(18, 11.17, 512), (34, 21.28, 512), (50, 23.52, 2048)]
)
def test_parameters_with_the_cifar_stem_and_ten_classes(depth, millions, num_features):
    encoder = resnet(depth)
    assert encoder.num_features == num_features
    head = torch.nn.Linear(num_features, 10)
    count = sum(p.numel() for p in [*encoder.parameters(), *head.parameters()])
    assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize(("depth", "gflop"), [(18, 1.111), (50, 2.596)])
def test_cost_of_a_cifar_image(depth, gflop):
    encoder = resnet(depth)
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    forward = flops(lambda: encoder(image))
    assert forward / 1e9 == pytest.approx(gflop, abs=5e-4)
    features = encoder(image).sum()
    # An attack step's backward costs one forward, a training step's two (the first convolution
    # has no input gradient in training, which is below the fourth digit).
    towards_image = flops(lambda: torch.autograd.grad(features, image, retain_graph=True))
    assert towards_image / 1e9 == pytest.approx(gflop, abs=5e-4)
    assert flops(features.backward) / 1e9 == pytest.approx(2 * gflop, abs=5e-3)


def test_the_imagenet_stem_is_torchvisions_network_without_its_last_layer():
    torch.manual_seed(0)
    encoder = resnet(18, "imagenet").eval()
    official = torchvision.models.resnet18().eval()
    missing, unexpected = official.load_state_dict(encoder.body.state_dict(), strict=False)
    assert missing == ["fc.weight", "fc.bias"]
    assert unexpected == []
    official.fc = torch.nn.Identity()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(encoder(images), official(encoder.normalise(images)))


def test_the_cifar_stem_exchanges_only_the_first_convolution():
    official = torchvision.models.resnet18()
    official.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
    missing, unexpected = official.load_state_dict(resnet(18).body.state_dict(), strict=False)
    assert missing == ["fc.weight", "fc.bias"]
    assert unexpected == []


@pytest.mark.parametrize(("stem", "size"), [("cifar", 4), ("imagenet", 1)])
def test_the_cifar_stem_keeps_eight_times_the_resolution_of_the_original(stem, size):
    encoder, sizes = resnet(18, stem).eval(), []
    encoder.body.layer4.register_forward_hook(lambda *call: sizes.append(call[-1].shape[-1]))
    with torch.no_grad():
        encoder(torch.rand(1, 3, 32, 32))
    assert sizes == [size]


def test_zero_init_residual_makes_every_block_begin_as_the_identity():
    block = resnet(18, zero_init_residual=True).eval().body.layer1[0]
    rows = torch.rand(2, 64, 8, 8)
    assert torch.equal(block(rows), rows)
    assert not torch.equal(resnet(18).eval().body.layer1[0](rows), rows)


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_grey_images_need_one_channel(stem):
    encoder = ResNet(depth=18, stem=stem, channels=1, mean=[0.3], std=[0.4]).eval()
    assert encoder(torch.rand(2, 1, 32, 32)).shape == (2, 512)


def test_pixels_are_standardised_inside():
    encoder = resnet(18)
    gray = torch.tensor(STATISTICS["mean"]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    torch.testing.assert_close(encoder.normalise(gray), torch.zeros(1, 3, 4, 4))
    one_std = gray + torch.tensor(STATISTICS["std"]).view(1, 3, 1, 1)
    torch.testing.assert_close(encoder.normalise(one_std), torch.ones(1, 3, 4, 4))


def test_statistics_belong_to_the_data_and_not_to_the_weights():
    assert not [name for name in resnet(18).state_dict() if name in ("mean", "std")]


@pytest.mark.parametrize(
    ("options", "named"), [({"depth": 19}, "encoder.depth"), ({"stem": "svhn"}, "encoder.stem")]
)
def test_what_does_not_exist_is_refused_by_name(options, named):
    with pytest.raises(ValueError, match=named):
        ResNet(**{"depth": 18, "stem": "cifar", "channels": 3, **STATISTICS, **options})
