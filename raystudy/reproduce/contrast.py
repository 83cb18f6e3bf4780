"""Claims as contrasts of points over common seeds, and the power to see them."""

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raystudy.confirm.statistics import ROUNDING
from trainables.evaluate.intervals import t_quantile

ALPHA, POWER = 0.05, 0.8
MOST = 1000  # seeds that are thought of
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A one-sided test of a claim in both directions.

    Parameters
    ----------
    effect : float
        Above 0 where the values speak for the claim.
    p_for, p_against : float
        Of values as these if the claim's contrary, or the claim itself, were just not true.
    seeds : int, optional
        How many it would take to decide if the effect seen is the true one; None: above `MOST`.
    """

    effect: float
    p_for: float
    p_against: float
    seeds: int | None


def contrast_test(values: Floats, weights: Sequence[float], *, level: float = ALPHA) -> Evidence:
    r"""Evidence that a weighted sum of points' means is above 0, in a randomised block.

    .. math:: t = \frac{\sum_a w_a \bar y_a}{s \sqrt{\sum_a w_a^2 / n}}, \quad
              s^2 = \frac{\sum_{as} (y_{as} - \bar y_a - \bar y_s + \bar y)^2}{(k - 1)(n - 1)}

    with (k - 1)(n - 1) degrees of freedom: each seed is a block, whose own level drops out. Of two
    points it is the paired t-test.

    Parameters
    ----------
    values : array, shape (k, n)
        k >= 2 points on the same n >= 2 seeds.
    weights : sequence of float
        w, which sum to 0.
    level : float
        Of the two-sided test whose power `seeds` is about.
    """
    w = np.asarray(weights, dtype=float)
    effect, s, degrees = float(w @ values.mean(axis=1)), *residual(values)
    norm = math.sqrt(float(w @ w))
    if s <= ROUNDING:
        return _without_noise(effect, values.shape[1])
    from scipy.stats import t as student  # a second or more

    statistic = effect / (s * norm / math.sqrt(values.shape[1]))
    return Evidence(
        effect=effect,
        p_for=float(student.sf(statistic, degrees)),
        p_against=float(student.cdf(statistic, degrees)),
        seeds=seeds_to_see(abs(effect), s * norm, points=len(values), level=level),
    )


def flatness_test(values: Floats) -> Evidence:
    r"""Evidence that points differ by less than one seed from another.

    For: an equivalence test whose bound is the noise itself, of the hypothesis that the points'
    true means vary by at least :math:`\sigma` (in a randomised block with seeds as blocks):

    .. math:: F = \frac{n \, \mathrm{Var}_a(\bar y_a)}{s^2}, \quad
              p = P\left(F_{k-1,(k-1)(n-1)} \le \frac{F}{n + 1}\right)

    since F / (n + 1) is distributed so where they vary by :math:`\sigma`. Against: the usual F-test
    that they do not vary at all.

    Parameters
    ----------
    values : array, shape (k, n)
    """
    points, seeds = values.shape
    s, degrees = residual(values)
    between = seeds * float(values.mean(axis=1).var(ddof=1))
    if s <= ROUNDING:
        return _without_noise(1.0 if between <= ROUNDING else -1.0, seeds)
    from scipy.stats import f as fisher

    ratio = between / s**2
    return Evidence(
        effect=1 - ratio / (seeds + 1),
        p_for=float(fisher.cdf(ratio / (seeds + 1), points - 1, degrees)),
        p_against=float(fisher.sf(ratio, points - 1, degrees)),
        seeds=_seeds_to_see_flat(points, max(0.0, (ratio - 1) / seeds)),
    )


def residual(values: Floats) -> tuple[float, int]:
    """Return the deviation once each point's and each seed's mean are taken out, and its degrees.

    Parameters
    ----------
    values : array, shape (k, n)
    """
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    degrees = (values.shape[0] - 1) * (values.shape[1] - 1)
    return math.sqrt(float((rest**2).sum()) / degrees), degrees


def _without_noise(effect: float, seeds: int) -> Evidence:
    """Return what signs alone say, of values that agree over seeds to the last digit."""
    least = 0.5**seeds
    side = 0 if abs(effect) <= ROUNDING else math.copysign(1, effect)
    p_for = {1: least, 0: 1.0, -1: 1.0}[int(side)]
    p_against = {1: 1.0, 0: 1.0, -1: least}[int(side)]
    return Evidence(effect=effect, p_for=p_for, p_against=p_against, seeds=None)


def seeds_to_see(effect: float, sd: float, *, points: int = 2, level: float = ALPHA) -> int | None:
    r"""Return the fewest seeds with which a contrast is seen with a power of 80 %.

    .. math:: \left(t_{1 - \alpha / 2} + t_{0.8}\right) \, s \lVert w \rVert / \sqrt n \le \delta

    Parameters
    ----------
    effect : float
        :math:`\delta`.
    sd : float
        :math:`s \lVert w \rVert`.
    points : int
        k, which decides the degrees of freedom.
    level : float
        :math:`\alpha`.
    """
    return _fewest(lambda n: detectable(sd, n, (points - 1) * (n - 1), level=level) <= effect)


def detectable(sd: float, seeds: int, degrees: int, *, level: float = ALPHA) -> float:
    r"""Return the smallest contrast seen with a power of 80 %, see `seeds_to_see`."""
    quantiles = t_quantile(1 - level / 2, degrees) + t_quantile(POWER, degrees)
    return quantiles * sd / math.sqrt(seeds)


def _seeds_to_see_flat(points: int, ratio: float) -> int | None:
    r"""Return the fewest seeds that show flatness with a power of 80 %.

    .. math:: (n \rho + 1) \, F_{0.8} / (n + 1) \le F_{0.05}

    Parameters
    ----------
    points : int
    ratio : float
        :math:`\rho`, of the points' variance to that of seeds.
    """
    from scipy.stats import f as fisher

    def is_seen(n: int) -> bool:
        degrees = (points - 1, (points - 1) * (n - 1))
        large, small = fisher.ppf(POWER, *degrees), fisher.ppf(ALPHA, *degrees)
        return bool((n * ratio + 1) * large / (n + 1) <= small)

    return _fewest(is_seen)


def _fewest(is_enough: Callable[[int], bool]) -> int | None:
    """Return the fewest seeds that are enough, as all above them are."""
    seeds = range(2, MOST + 1)
    first = bisect.bisect_left(seeds, True, key=is_enough)
    return seeds[first] if first < len(seeds) else None
