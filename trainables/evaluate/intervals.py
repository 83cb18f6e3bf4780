"""Confidence intervals: exact ones for one model's accuracy, Student's over seeds."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

TINY = 1e-300


class Interval(NamedTuple):
    """A value and where it may really lie.

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
    tail = _tail(confidence)
    wrong = images - right
    low = _root(lambda p: beta_cdf(p, right, wrong + 1) - tail) if right else 0.0
    high = _root(lambda p: beta_cdf(p, right + 1, wrong) - (1 - tail)) if wrong else 1.0
    return Interval(right / images, low, high)


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
    """Return what Student's t stays below with a `probability` in [0.5, 1)."""
    # P(|T| > t) = I_x(degrees / 2, 1 / 2) with x = degrees / (degrees + t^2).
    two_tails = 2 * (1 - probability)
    x = _root(lambda x: beta_cdf(x, degrees / 2, 0.5) - two_tails)
    return math.sqrt(degrees * (1 - x) / x)


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), for a, b > 0.

    Its continued fraction (DLMF 8.17.22) by Lentz's method.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly
        return 1 - beta_cdf(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / a * _continued_fraction(x, a, b)


def _continued_fraction(x: float, a: float, b: float) -> float:
    upper, lower = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = lower
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1 / _away_from_zero(1 + term * lower)
            upper = _away_from_zero(1 + term / upper)
            value *= lower * upper
        if abs(lower * upper - 1) < 1e-15:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def _tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}.")
    return (1 - confidence) / 2


def _root(rising: Callable[[float], float]) -> float:
    """Return where in [0, 1] a rising function crosses zero, by bisection to the last bit."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return high
