"""Statistical tests of differences between configurations over seeds.

Runs on the same seed are pairs: initial weights, order of the data and the attack's starts are
alike, so that their difference varies less than either value.
"""

import functools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainables.evaluate.intervals import t_quantile

CONFIDENCE = 0.95
ROUNDING = 1e-12
Floats = NDArray[np.float64]
DIGITS = 12
MAX_EXACT = 20  # pairs whose signs are flipped in all ways: a million of them, in 9 s
BATCH = 2**15  # of them at once


class Paired(NamedTuple):
    """A mean difference over pairs, its confidence interval and p-value.

    Parameters
    ----------
    difference, low, high : float
    p_value : float
        Two-sided, of no difference.
    """

    difference: float
    low: float
    high: float
    p_value: float


class NoiseFloor(NamedTuple):
    """The smallest differences that a two-sided t-test detects.

    Parameters
    ----------
    seeds : int
        n, of the recipe.
    sd : float
        s, of the recipe over its seeds.
    one_seed : float
        Between two single runs, as a search compares them.
    unpaired : float
        Between two means of n unrelated seeds each.
    paired : float or None
        Between two means of n common seeds; None without pairs.
    """

    seeds: int
    sd: float
    one_seed: float
    unpaired: float
    paired: float | None


def paired_t(
    ours: Sequence[float], theirs: Sequence[float], *, confidence: float = CONFIDENCE
) -> Paired:
    r"""Return the paired t-test of the mean of ``ours - theirs``.

    .. math:: t = \sqrt n \, \bar d / s_d, \quad n - 1 \text{ degrees of freedom}

    Where all differences are equal, t is infinite or undefined: accuracies are counts of a few
    images, and equal ones do not show that seeds change nothing. The p-value is then the smallest
    that flipping signs can give, :math:`2^{1 - n}`.

    Parameters
    ----------
    ours, theirs : sequence of float
        The same seeds in the same order, at least two.
    confidence : float
        Of the interval, in (0, 1).
    """
    differences = np.array([a - b for a, b in zip(ours, theirs, strict=True)])
    if len(differences) < 2:
        raise ValueError(f"paired_t needs at least 2 pairs, got {len(differences)}.")
    mean = float(differences.mean())
    if differences.std() <= ROUNDING * max(1.0, abs(mean)):
        return Paired(
            mean, mean, mean, 2.0 ** (1 - len(differences)) if abs(mean) > ROUNDING else 1
        )
    from scipy.stats import ttest_rel  # a second or more, which not every verb needs

    test = ttest_rel(ours, theirs)
    low, high = test.confidence_interval(confidence)
    return Paired(mean, float(low), float(high), float(test.pvalue))


def sign_flip(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the exact two-sided p-value of the mean difference if signs meant nothing [1]_.

    It assumes nothing of how the differences are distributed but symmetry, and never falls below
    ``2 / 2**n``: five seeds cannot show what 5 % asks for, six can.

    Parameters
    ----------
    ours, theirs : sequence of float
        The same seeds in the same order, one to 20 of them.

    References
    ----------
    .. [1] Fisher 1935, "The Design of Experiments", Sec. 21.
    """
    differences = np.subtract(ours, theirs)
    if not 1 <= len(differences) <= MAX_EXACT:
        raise ValueError(f"sign_flip takes 1 to {MAX_EXACT} pairs, got {len(differences)}.")
    if len(differences) == 1:  # which scipy refuses
        return 1.0
    from scipy.stats import permutation_test

    def rounded_mean(flipped: Floats, axis: int) -> Floats:
        means: Floats = flipped.mean(axis=axis)
        return means.round(DIGITS)  # ties stay ties

    test = permutation_test(
        (differences,), rounded_mean, permutation_type="samples", n_resamples=np.inf, batch=BATCH
    )
    return float(test.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Return p-values that may all be compared with one level [1]_.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) \, p_{(j)})

    With them the chance of even one false claim among the m is at most that level.

    References
    ----------
    .. [1] Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    ascending = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in enumerate(ascending):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def significant_difference(values: np.ndarray, alpha: float) -> float:
    r"""Return the difference of two means from which on Tukey's test calls it significant [1]_.

    .. math:: q_{1 - \alpha;\, m,\, (m - 1)(n - 1)} \; s / \sqrt n

    s is the values' residual standard deviation once each configuration's and each seed's mean are
    taken out. The level holds for all pairs of the m configurations at once, so that the best may
    be chosen first and the others be compared with it.

    Parameters
    ----------
    values : array, shape (m, n)
        m >= 2 configurations on the same n >= 2 seeds.
    alpha : float
        Level, in (0, 1).

    References
    ----------
    .. [1] Tukey 1953, "The Problem of Multiple Comparisons"; in blocks: Hsu 1996, "Multiple
       Comparisons", Ch. 7.
    """
    rows, columns = values.shape
    residuals = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    degrees = (rows - 1) * (columns - 1)
    s = math.sqrt(float((residuals**2).sum()) / degrees)
    return _range_quantile(alpha, rows, degrees) * s / math.sqrt(columns)


_t_quantile = functools.cache(t_quantile)


@functools.cache
def _range_quantile(alpha: float, groups: int, degrees: int) -> float:
    from scipy.stats import studentized_range

    return float(studentized_range.isf(alpha, groups, degrees))


def noise_floor(
    recipe: Sequence[float],
    others: Sequence[Sequence[float]] = (),
    *,
    confidence: float = CONFIDENCE,
) -> NoiseFloor:
    r"""Return the differences below which the recipe's own seeds detect none.

    .. math:: t_{n-1} \, s \sqrt 2, \quad t_{2n-2} \, s \sqrt{2/n}, \quad t_{n-1} \, s_d / \sqrt n

    for single runs, means of unrelated seeds, and means of common seeds, where
    :math:`s_d^2` is the mean over `others` of the variance of their differences to the recipe.

    Parameters
    ----------
    recipe : sequence of float
        One per seed, at least two.
    others : sequence of sequence of float
        Configurations on the recipe's seeds.
    confidence : float
    """
    n, sd = len(recipe), _sd(recipe)
    quantile = functools.partial(_t_quantile, (1 + confidence) / 2)
    variances = [_sd([a - b for a, b in zip(v, recipe, strict=True)]) ** 2 for v in others]
    paired = quantile(n - 1) * math.sqrt(math.fsum(variances) / len(others) / n) if others else None
    return NoiseFloor(
        seeds=n,
        sd=sd,
        one_seed=quantile(n - 1) * sd * math.sqrt(2),
        unpaired=quantile(2 * n - 2) * sd * math.sqrt(2 / n),
        paired=paired,
    )


def seeds_to_detect(difference: float, sd: float) -> int:
    r"""Return how many seeds each of two means needs to detect a difference.

    .. math:: t_{2n-2} \, s \sqrt{2/n} \le \delta

    Parameters
    ----------
    difference : float
        Delta, above 0.
    sd : float
        s, of one configuration over its seeds.
    """
    level = (1 + CONFIDENCE) / 2
    # Even if s were known, which makes the quantile the normal distribution's, it takes this many.
    n = max(2, math.ceil(2 * (NormalDist().inv_cdf(level) * sd / difference) ** 2))
    while _t_quantile(level, 2 * n - 2) * sd * math.sqrt(2 / n) > difference:
        n += 1
    return n


def _sd(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
