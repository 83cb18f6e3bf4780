"""Weights go to torchvision and come back; what does not fit, or would run, is refused."""

import copy
import functools
import re

import pytest
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import save_file

from trainables.networks import split_batch_norm
from trainables.networks.interchange import (
    load_encoder,
    save_torchvision,
    to_torchvision,
)
from trainables.networks.resnet import ResNet
from trainables.networks.small_conv import SmallConv
from trainables.networks.weight_files import read_weights

STATISTICS = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@functools.cache
def blank(depth, stem):
    return ResNet(depth=depth, stem=stem, channels=3, **STATISTICS).eval()


def resnet(depth=18, stem="imagenet"):
    return copy.deepcopy(blank(depth, stem))


def official(depth=18):
    return copy.deepcopy(published(depth))


@functools.cache
def published(depth):
    torch.manual_seed(0)
    network = getattr(torchvision.models, f"resnet{depth}")().eval()
    for part in network.modules():  # statistics a fresh network would not tell apart
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return network


def small():
    return SmallConv(channels=1, widths=[4, 8], mean=[0.0], std=[1.0])


def images(n=2, size=32):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def features(network, x):
    network.fc = torch.nn.Identity()
    with torch.no_grad():
        return network(x)


@pytest.fixture(scope="module")
def donor():
    return official(18).state_dict()


@pytest.mark.parametrize("depth", [18, 50])
def test_torchvision_computes_the_features_we_do(depth):
    encoder, network = resnet(depth), official(depth)
    missing, unexpected = network.load_state_dict(to_torchvision(encoder), strict=False)
    assert (missing, unexpected) == (["fc.weight", "fc.bias"], [])
    with torch.no_grad():
        ours = encoder(images())
    assert torch.equal(features(network, encoder.normalise(images())), ours)


@pytest.mark.parametrize("depth", [18, 50])
def test_we_compute_the_features_torchvision_does(depth):
    encoder, network = resnet(depth), official(depth)
    load_encoder(encoder, network.state_dict())
    with torch.no_grad():
        ours = encoder(images())
    assert torch.equal(features(network, encoder.normalise(images())), ours)


@pytest.mark.parametrize(
    "prefix",
    ["module.", "encoder.", "backbone.", "module.encoder.", "state_dict.module.encoder_q."],
)
def test_any_prefix_is_taken_off(donor, prefix):
    encoder, plain = resnet(), resnet()
    load_encoder(plain, donor)
    load_encoder(encoder, {f"{prefix}{name}": value for name, value in donor.items()})
    assert same(encoder, plain)


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_names_of_cifar_resnets_are_understood(donor):
    encoder, plain = resnet(), resnet()
    load_encoder(plain, donor)
    others = {name.replace("downsample", "shortcut"): value for name, value in donor.items()}
    load_encoder(encoder, {name.replace("fc.", "linear."): v for name, v in others.items()})
    assert same(encoder, plain)


def test_heads_projectors_and_old_counters_do_not_matter(donor):
    weights = {n: v for n, v in donor.items() if not n.endswith("num_batches_tracked")}
    weights |= {"fc.0.weight": torch.zeros(3, 3), "projector.0.weight": torch.zeros(2, 2)}
    encoder = resnet()
    load_encoder(encoder, weights)
    assert torch.equal(encoder.body.conv1.weight, donor["conv1.weight"])


def test_a_method_of_ours_gives_its_encoder_and_not_the_target(tmp_path):
    online, target = small(), small()
    weights = {f"encoder.{n}": v for n, v in online.state_dict().items()}
    weights |= {f"target.encoder.{n}": v for n, v in target.state_dict().items()}
    weights |= {"projector.0.weight": torch.zeros(3, 8), "projector.0.bias": torch.zeros(3)}
    save_file(weights, tmp_path / "best.safetensors")
    encoder = small()
    load_encoder(encoder, read_weights(tmp_path / "best.safetensors"))
    assert same(encoder, online)
    load_encoder(encoder, weights, prefix="target.encoder.body.")
    assert same(encoder, target)


def test_of_several_encoders_one_must_be_chosen(donor):
    weights = {f"{p}.{n}": v for p in ("encoder_q", "encoder_k") for n, v in donor.items()}
    with pytest.raises(ValueError, match=r"several.*encoder_q\..*encoder_k\."):
        load_encoder(resnet(), weights)
    load_encoder(resnet(), weights, prefix="encoder_k.")


def without(weights, name):
    return {other: value for other, value in weights.items() if other != name}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda w: without(w, "bn1.weight"), "missing bn1.weight"),
        (lambda w: {**w, "layer1.7.conv1.weight": w["conv1.weight"]}, "unexpected layer1.7.conv1"),
        (lambda w: {**w, "bn1.weight": torch.ones(3)}, "bn1.weight 3 instead of 64"),
        (lambda w: {**w, "bn1.bias": torch.full((64,), torch.nan)}, "not finite bn1.bias"),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(donor, spoil, words):
    encoder, untouched = resnet(), resnet()
    with pytest.raises(ValueError, match=words):
        load_encoder(encoder, spoil(donor))
    assert same(encoder, untouched)


def test_only_the_first_names_are_told():
    with pytest.raises(ValueError, match=r"missing (\S+, ){2}\S+ and \d+ more"):
        load_encoder(resnet(50), to_torchvision(resnet(18)))


@pytest.mark.parametrize(
    ("own", "given", "words"),
    [
        (
            (18, "imagenet"),
            (18, "cifar"),
            "64x3x3x3 instead of 64x3x7x7; encoder.stem=cifar may fit.",
        ),
        (
            (18, "cifar"),
            (18, "imagenet"),
            "64x3x7x7 instead of 64x3x3x3; encoder.stem=imagenet may",
        ),
        ((18, "cifar"), (50, "cifar"), "; encoder.depth=50 may fit."),
        ((50, "cifar"), (18, "imagenet"), "; encoder.depth=18, encoder.stem=imagenet may fit."),
        ((34, "cifar"), (18, "cifar"), "; encoder.depth=18 may fit."),
    ],
)
def test_what_would_fit_is_named_as_the_setting_it_is(own, given, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        load_encoder(resnet(*own), to_torchvision(resnet(*given)))


def test_other_channels_and_widths_are_named_too(donor):
    grey = {**donor, "conv1.weight": donor["conv1.weight"].mean(dim=1, keepdim=True)}
    with pytest.raises(ValueError, match="; data of 1 channels may fit"):
        load_encoder(resnet(), grey)
    wider = SmallConv(channels=1, widths=[4, 8, 16], mean=[0.0], std=[1.0])
    with pytest.raises(ValueError, match=r"; encoder\.widths=\[4,8,16\] may fit"):
        load_encoder(small(), wider.state_dict())


def test_another_network_is_told_by_its_names():
    with pytest.raises(ValueError, match=r"no encoder of this kind.*transformer"):
        load_encoder(resnet(), {"transformer.query": torch.zeros(2)})


def test_several_batch_norms_are_not_exported():
    encoder = split_batch_norm.split(resnet(), ["normal", "pgd"])
    with pytest.raises(ValueError, match="several"):
        to_torchvision(encoder)
    network = official()
    network.load_state_dict(
        to_torchvision(split_batch_norm.keep_branch(encoder, "pgd")), strict=False
    )


def test_an_export_is_safetensors_that_tell_the_statistics(tmp_path):
    encoder = resnet(stem="cifar")
    save_torchvision(encoder, tmp_path / "encoder.safetensors")
    found = read_weights(tmp_path / "encoder.safetensors")
    assert found.keys() == to_torchvision(encoder).keys()
    with safe_open(tmp_path / "encoder.safetensors", "pt") as file:
        assert file.metadata()["mean"] == str(encoder.mean.flatten().tolist())
        assert file.metadata()["stem"] == "cifar"
    again = resnet(stem="cifar")
    torch.nn.init.zeros_(again.body.conv1.weight)
    load_encoder(again, found)
    assert same(again, encoder)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.to(torch.complex64),
        lambda value: value.to(torch.int8),  # of a quantised network, whose scales are elsewhere
        lambda value: value.to("meta"),
        lambda value: value.to_sparse(),
    ],
    ids=["complex", "whole", "meta", "sparse"],
)
def test_weights_that_are_no_plain_real_numbers_are_refused(change):
    encoder = SmallConv(channels=3, widths=[4], **STATISTICS)
    weights = {
        name: change(value) if value.is_floating_point() else value
        for name, value in encoder.body.state_dict().items()
    }
    with pytest.raises(ValueError, match="no plain real numbers in 0"):
        load_encoder(encoder, weights)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precision_are_taken(kind):
    encoder = SmallConv(channels=3, widths=[4], **STATISTICS)
    weights = {name: value.to(kind) for name, value in encoder.body.state_dict().items()}
    load_encoder(encoder, weights)
    assert all(value.dtype == torch.float32 for value in encoder.parameters())
