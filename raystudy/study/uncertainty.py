"""Uncertainty of a search's results from the sampling of images.

An accuracy is a count of images. Each trial's interval speaks of the draw of those images, not of
the draw of a training seed, which only fresh seeds show (``raystudy confirm``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raystudy.config.spec import RECIPE, Objective
from raystudy.search import halving, pareto
from raystudy.trial.info import TrialSummary
from trainables.evaluate.intervals import Interval, clopper_pearson

DRAWS, FEWER_DRAWS = 2000, 300  # with two objectives at most, with more
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """What the number of images leaves open.

    Parameters
    ----------
    images : mapping of str to int
        Of how many images each objective is a share.
    intervals : mapping of int to mapping of str to Interval
        Exact 95 % ones by trial and objective, of the front and of the published recipe.
    chances : mapping of int to float
        Probability of each candidate to be on the true front, or the best by a single objective.
    hypervolume : Interval or None
        Area that the front dominates, from no accuracy on; of two objectives. Its ends are those of
        all intervals at once, as if all trials erred on the same images, which is cautious: the
        interval held the true area in 97 % or more of simulated studies, whether they did or not.
    """

    images: Mapping[str, int]
    intervals: Mapping[int, Mapping[str, Interval]]
    chances: Mapping[int, float]
    hypervolume: Interval | None = None


def estimate(
    summaries: Sequence[TrialSummary],
    objectives: Sequence[Objective],
    measured_on: Mapping[str, int],
) -> Uncertainty | None:
    """Return the uncertainty of complete trials; None unless every objective is a share of images.

    Trials beyond a constraint are no candidates, as in `pareto.front`.

    Parameters
    ----------
    summaries : sequence of TrialSummary
    objectives : sequence of Objective
    measured_on : mapping of str to int
        Of how many images each measure is a share, as recorded.
    """
    images = {o.metric: measured_on[o.metric] for o in objectives if o.metric in measured_on}
    candidates = pareto.candidates(summaries)
    shares = all(0 <= one.last[metric] <= 1 for one in candidates for metric in images)
    if len(images) < len(objectives) or not candidates or not shares:
        return None
    best = pareto.front(candidates, objectives)
    recipe = [one for one in summaries if one.number == RECIPE and one.state == "complete"]
    intervals = {
        one.number: {
            metric: clopper_pearson(round(one.last[metric] * n), n) for metric, n in images.items()
        }
        for one in (*recipe, *best)
    }
    return Uncertainty(
        images=images,
        intervals=intervals,
        chances=_chances(candidates, objectives, images),
        hypervolume=_area([intervals[one.number] for one in best], objectives),
    )


def chance_words(found: Uncertainty, number: int) -> str:
    """Return the probability that a trial is the best, or on the true front."""
    what = "the best complete trial" if len(found.images) == 1 else "on the true front"
    probability = f"{found.chances[number]:.0%} probability of being {what}"
    return f"{probability} (image sampling only)"


def area_words(area: Interval, *, what: str = "images") -> str:
    """Return a hypervolume with its interval."""
    return f"{area.value:.4f} (95% interval over {what}: {area.low:.4f} to {area.high:.4f})"


def _chances(
    candidates: Sequence[TrialSummary], objectives: Sequence[Objective], images: Mapping[str, int]
) -> dict[int, float]:
    """Return how often each is on the front of accuracies drawn as the counts leave them open.

    Accuracies are drawn from Jeffreys' Beta(k + 1/2, n - k + 1/2), each by itself. Trials are
    measured on the same images and differ by less than that, so the chances are cautious.
    """
    draws = DRAWS if len(objectives) < 3 else FEWER_DRAWS
    rng = np.random.default_rng(0)
    columns = []
    for objective in objectives:
        n = images[objective.metric]
        right = np.array([round(one.last[objective.metric] * n) for one in candidates])
        drawn = rng.beta(right + 0.5, n - right + 0.5, size=(draws, len(candidates)))
        columns.append(drawn if objective.direction == "maximize" else -drawn)
    share = on_front(np.stack(columns, axis=-1)).mean(axis=0)
    return {one.number: float(c) for one, c in zip(candidates, share, strict=True)}


def over_seeds(values: Floats) -> tuple[list[float], Interval | None]:
    r"""Return chances of being on the true front, and its hypervolume, from runs on common seeds.

    True means are drawn from Student's t about the means over S seeds,

    .. math:: \bar x + t_{S-1} \, \hat\Sigma^{1/2} / \sqrt S,

    with one covariance over all configurations and objectives, for runs on a seed are pairs.

    Parameters
    ----------
    values : array, shape (S, N, M)
        Of N configurations by M objectives, larger being better.
    """
    seeds = len(values)
    mean, rng = values.mean(axis=0), np.random.default_rng(0)
    apart = (values - mean) / math.sqrt(seeds * (seeds - 1))
    steps = rng.normal(size=(DRAWS, seeds))
    tails = np.sqrt((seeds - 1) / rng.chisquare(seeds - 1, size=DRAWS))
    drawn = mean + tails[:, None, None] * np.einsum("bs,snm->bnm", steps, apart)
    chances = [float(chance) for chance in on_front(drawn).mean(axis=0)]
    if values.shape[2] != 2:
        return chances, None
    area = hypervolume(mean)
    low, high = np.quantile([hypervolume(one) for one in drawn], (0.025, 0.975))
    # Mirrored: drawn fronts are outside the mean's as it is outside the true one.
    return chances, Interval(area, float(2 * area - high), float(2 * area - low))


def on_front(points: Floats) -> NDArray[np.bool_]:
    """Return which of each draw's points no other of that draw beats, larger being better.

    Parameters
    ----------
    points : array, shape (B, N, M)
        B draws of N points by M objectives.

    Returns
    -------
    array, shape (B, N)
    """
    if points.shape[2] == 1:
        chosen: NDArray[np.bool_] = points[..., 0] >= points.max(axis=1)
        return chosen
    if points.shape[2] > 2:
        return np.stack([halving.front(-one) for one in points])
    order = np.argsort(-points[..., 0], axis=1)
    second = np.take_along_axis(points[..., 1], order, axis=1)
    before = np.maximum.accumulate(second, axis=1)[:, :-1]
    ahead = np.concatenate([np.ones_like(second[:, :1], dtype=bool), second[:, 1:] > before], 1)
    chosen = np.empty_like(ahead)
    np.put_along_axis(chosen, order, ahead, axis=1)
    return chosen


def hypervolume(points: Floats) -> float:
    """Return the area that points dominate above (0, 0), larger being better.

    Parameters
    ----------
    points : array, shape (N, 2)
    """
    ordered = np.maximum(points[np.argsort(-points[:, 0])], 0)
    top = np.maximum.accumulate(ordered[:, 1])
    rise = np.diff(top, prepend=0.0)
    return float((ordered[:, 0] * rise).sum())


def _area(
    intervals: Sequence[Mapping[str, Interval]], objectives: Sequence[Objective]
) -> Interval | None:
    """Return the front's area, and that of all lower and all upper ends.

    The ends rise with the count, so that no dominated trial adds to either area.
    """
    if len(objectives) != 2 or any(o.direction != "maximize" for o in objectives):
        return None
    ends = np.array([[one[o.metric] for o in objectives] for one in intervals])  # (N, 2, 3)
    return Interval(*(hypervolume(ends[:, :, end]) for end in range(3)))
