"""Small networks on top of an encoder."""

from collections.abc import Sequence

from torch import nn


def mlp(
    in_features: int,
    hidden_features: Sequence[int],
    out_features: int,
    *,
    batch_norm: bool = False,
    last_bias: bool = True,
    last_batch_norm: bool = False,
) -> nn.Sequential:
    """Return linear layers with ReLU between them: a projector or a predictor.

    Parameters
    ----------
    in_features : int
    hidden_features : sequence of int
        Width of each hidden layer; two in a row make a head of three layers.
    out_features : int
    batch_norm : bool
        Normalise every hidden layer.
    last_bias : bool
        Whether the last layer has a bias.
    last_batch_norm : bool
        Normalise the output too, without affine parameters (SimSiam's projector).
    """
    layers: list[nn.Module] = []
    before = in_features
    for width in hidden_features:
        layers.append(nn.Linear(before, width, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU(inplace=True))
        before = width
    layers.append(nn.Linear(before, out_features, bias=last_bias))
    if last_batch_norm:
        layers.append(nn.BatchNorm1d(out_features, affine=False))
    return nn.Sequential(*layers)
