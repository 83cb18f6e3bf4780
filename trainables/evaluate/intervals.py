"""Confidence intervals: exact ones for one model's accuracy, Student's over seeds."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A value and its confidence interval.

    Parameters
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float


def clopper_pearson(right: int, images: int, *, confidence: float = 0.95) -> Interval:
    r"""Return a share and its exact binomial interval [1]_.

    .. math::
        P(X \ge k \mid p_{low}) = P(X \le k \mid p_{high}) = \alpha / 2

    Whatever the true share is, such intervals contain it at least so often. They speak of the
    draw of test images, not of the draw of a training seed.

    Parameters
    ----------
    right : int
        k of `images` n.
    images : int
    confidence : float
        1 - alpha, in (0, 1).

    References
    ----------
    .. [1] Clopper & Pearson 1934, Biometrika 26(4).
    """
    if not 0 <= right <= images or images < 1:
        raise ValueError(f"an interval needs 0 <= right <= images, got {right} of {images}.")
    from scipy.stats import binomtest  # a second or more, which not every verb needs

    found = binomtest(right, images).proportion_ci(1 - 2 * _tail(confidence), method="exact")
    return Interval(right / images, float(found.low), float(found.high))


def over_seeds(values: Sequence[float], *, confidence: float = 0.95) -> Interval:
    r"""Return the mean of independent runs and Student's interval.

    .. math:: \bar x \pm t_{n - 1, 1 - \alpha / 2} \, s / \sqrt n

    Parameters
    ----------
    values : sequence of float
        One per seed, at least two.
    confidence : float
        1 - alpha, in (0, 1).
    """
    if len(values) < 2:
        raise ValueError(f"an interval over seeds needs at least 2 values, got {len(values)}.")
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    reach = t_quantile(1 - _tail(confidence), len(values) - 1) * math.sqrt(variance / len(values))
    return Interval(mean, mean - reach, mean + reach)


def t_quantile(probability: float, degrees: int) -> float:
    """Return what Student's t stays below with a `probability` in (0, 1)."""
    from scipy.stats import t

    return float(t.ppf(probability, degrees))


def _tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}.")
    return (1 - confidence) / 2
