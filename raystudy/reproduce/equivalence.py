"""Whether measured numbers reproduce a printed one: two one-sided tests, nothing typed in.

All numbers here are in the unit of the print, such as percent.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from raystudy.evaluation.printed import Printed
from trainables.evaluate.intervals import t_quantile

ALPHA = 0.05
Word = Literal["reproduced", "higher", "lower", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What our runs say of a printed number.

    Parameters
    ----------
    word : str
        The verdict.
    words : str
        The reason in half a sentence.
    mean, difference : float
        Ours, and ours minus theirs.
    width : float
        How far from the print the method's true mean may be for all that the print tells.
    low, high : float
        The interval of our mean that has to be within `width` (90 %, as two tests at 5 % ask).
    sd : float, optional
        Of one seed to another, as it was taken for ours.
    """

    word: Word
    words: str
    mean: float
    difference: float
    width: float
    low: float
    high: float
    sd: float | None


def compare(
    ours: Sequence[float], printed: Printed, *, runs: int = 1, binomial: float = 0.0
) -> Comparison:
    r"""Compare our runs with a printed number.

    The print x, of n runs with deviation :math:`\sigma`, rounded by at most r and measured on N
    images, places the method's true mean within

    .. math:: \Delta = r + z_{0.975} \sqrt{\sigma^2 / n + x (1 - x) / N}

    of itself. :math:`\sigma` is the printed deviation, or ours where none is printed. Ours,
    :math:`\bar y` of m runs with deviation s, *reproduces* it if both tests of
    :math:`|\mu - x| \ge \Delta` reject at 5 % [1]_, which is

    .. math:: |\bar y - x| + t_{0.95, m-1} \, s / \sqrt m \le \Delta

    It is *higher* or *lower* if a true repetition would be so far away in 5 % of cases at most:

    .. math:: |\bar y - x| > r + t_{0.975, m-1} \, s / \sqrt m
              + z_{0.975} \sqrt{\sigma^2 / n + x (1 - x) / N}

    and otherwise *undecided*. A single run has no s: with a printed deviation that takes its place,
    and z that of t; without one nothing is decided.

    Parameters
    ----------
    ours : sequence of float
        One or more runs.
    printed : Printed
    runs : int
        n.
    binomial : float
        :math:`\sqrt{x (1 - x) / N}` in the unit of the print, see `binomial_sd`.

    References
    ----------
    .. [1] Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15(6).
    """
    mean = statistics.fmean(ours)
    difference = mean - printed.value
    sd = statistics.stdev(ours) if len(ours) > 1 else printed.std
    if sd is None:
        return Comparison(
            word="undecided",
            words="one run of ours and a print without a deviation: the seed noise is unknown",
            mean=mean,
            difference=difference,
            width=math.nan,
            low=math.nan,
            high=math.nan,
            sd=None,
        )
    theirs = sd if printed.std is None else printed.std
    spread = _z(1 - ALPHA / 2) * math.hypot(theirs / math.sqrt(runs), binomial)
    width = printed.rounding + spread
    reach, wide = (q * sd / math.sqrt(len(ours)) for q in _quantiles(len(ours)))
    word = _word(difference, width, reach=reach, wide=wide)
    return Comparison(
        word=word,
        words=_words(word, difference, width, reach),
        mean=mean,
        difference=difference,
        width=width,
        low=mean - reach,
        high=mean + reach,
        sd=sd,
    )


def binomial_sd(percent: float, images: int) -> float:
    """Return the standard deviation of an accuracy on so many images, in percent."""
    share = min(max(percent / 100, 0.0), 1.0)
    return 100 * math.sqrt(share * (1 - share) / images)


def _word(difference: float, width: float, *, reach: float, wide: float) -> Word:
    if abs(difference) + reach <= width:
        return "reproduced"
    if abs(difference) > width + wide:
        return "higher" if difference > 0 else "lower"
    return "undecided"


def _words(word: Word, difference: float, width: float, reach: float) -> str:
    seen = f"{difference:+.2f} ± {reach:.2f}"
    inside = {"reproduced": "within", "undecided": "not clearly within or beyond"}
    return f"{seen} is {inside.get(word, 'beyond')} {width:.2f}"


def _quantiles(runs: int) -> tuple[float, float]:
    """Return the quantiles of one-sided and of two-sided tests at 5 %."""
    if runs == 1:
        return _z(1 - ALPHA), _z(1 - ALPHA / 2)
    return t_quantile(1 - ALPHA, runs - 1), t_quantile(1 - ALPHA / 2, runs - 1)


def _z(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
