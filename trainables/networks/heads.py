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
    last_affine: bool = False,
) -> nn.Sequential:
    """Return linear layers with ReLU between them: a projector or a predictor.

    Without batch norm it is RoCL's projector (512, [2048], 128), with it that of SimCLR, BYOL and
    MSR; a normalised output makes it SimSiam's, with affine parameters ACL's. A linear layer
    before a batch norm has no bias, which the batch norm would take out again.

    Parameters
    ----------
    in_features : int
    hidden_features : sequence of int
        Width of each hidden layer; two in a row make a head of three layers.
    out_features : int
    batch_norm : bool
        Normalise every hidden layer.
    last_bias : bool
        Whether the last layer has a bias; MSR's has none.
    last_batch_norm : bool
        Normalise the output too; no bias then.
    last_affine : bool
        Give that last batch norm affine parameters.

    Returns
    -------
    nn.Sequential
        (N, in_features) to (N, out_features).
    """
    if min([*hidden_features, out_features]) < 1:
        raise ValueError(
            f"the widths of a projector or predictor must be at least 1, got "
            f"{list(hidden_features)} and {out_features}."
        )
    layers: list[nn.Module] = []
    before = in_features
    for width in hidden_features:
        layers.append(nn.Linear(before, width, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU(inplace=True))
        before = width
    layers.append(nn.Linear(before, out_features, bias=last_bias and not last_batch_norm))
    if last_batch_norm:
        layers.append(nn.BatchNorm1d(out_features, affine=last_affine))
    return nn.Sequential(*layers)
