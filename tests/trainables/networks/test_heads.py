"""Projectors and predictors: the layers the papers name."""

import torch
from torch import nn

from trainables.networks.heads import mlp


def layers(head):
    return [type(layer).__name__ for layer in head]


def num_parameters(head):
    return sum(p.numel() for p in head.parameters())


def test_rocls_projector_has_no_batch_norm():
    head = mlp(512, [2048], 128)
    assert layers(head) == ["Linear", "ReLU", "Linear"]
    assert num_parameters(head) == 512 * 2048 + 2048 + 2048 * 128 + 128


def test_msrs_projector_normalises_the_hidden_layer_and_has_no_last_bias():
    head = mlp(512, [1024], 128, batch_norm=True, last_bias=False)
    assert layers(head) == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert num_parameters(head) == 512 * 1024 + 2 * 1024 + 1024 * 128


def test_simsiams_projector_has_three_layers_and_a_last_batch_norm_without_parameters():
    head = mlp(512, [2048, 2048], 2048, batch_norm=True, last_batch_norm=True)
    hidden = ["Linear", "BatchNorm1d", "ReLU"]
    assert layers(head) == [*hidden, *hidden, "Linear", "BatchNorm1d"]
    assert not list(head[-1].parameters())
    with torch.no_grad():
        embeddings = head(torch.randn(64, 512))
    torch.testing.assert_close(embeddings.mean(dim=0), torch.zeros(2048), atol=1e-5, rtol=0)


def test_acls_projector_ends_in_a_batch_norm_with_parameters():
    head = mlp(512, [512, 512], 512, batch_norm=True, last_batch_norm=True, last_affine=True)
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in head) == 3
    assert num_parameters(head[-1]) == 2 * 512


def test_a_bias_that_batch_norm_would_remove_is_left_out():
    head = mlp(4, [5], 6, batch_norm=True, last_batch_norm=True)
    assert [layer.bias for layer in head if isinstance(layer, nn.Linear)] == [None, None]


def test_no_hidden_layer_is_a_linear_map():
    assert layers(mlp(4, [], 3)) == ["Linear"]
