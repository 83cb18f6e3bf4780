"""Verdicts on what a paper claims: confirmed, contradicted, or undecided and what it would take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from raystudy.confirm.statistics import holm
from raystudy.evaluation.published_table import Claim
from raystudy.reproduce.contrast import ALPHA, MOST, Evidence, Floats, contrast_test, flatness_test

Point = tuple[str, str]  # row, column
Word = Literal["confirmed", "contradicted", "undecided", "not run", "unavailable"]


@dataclass(frozen=True, kw_only=True)
class ClaimVerdict:
    """What our runs say of a claim.

    Parameters
    ----------
    word : str
    words : str
        The reason.
    effect : float, optional
        Above 0 where our means speak for it.
    p_value, p_holm : float, optional
        Two-sided, before and after Holm's correction over the table's claims.
    seeds : int
        Common to all its points.
    seeds_needed : int, optional
        To decide it, if the effect seen is the true one.
    """

    word: Word
    words: str
    effect: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    seeds: int = 0
    seeds_needed: int | None = None


def judge(
    claims: Mapping[str, Claim], values: Mapping[Point, Mapping[int, float]]
) -> dict[str, ClaimVerdict]:
    """Return a verdict on each claim, Holm-corrected over those that could be tested.

    Parameters
    ----------
    claims : mapping of str to Claim
    values : mapping of Point to mapping of int to float
        By seed; only points that were measured alike and whose runs ended well.
    """
    tables = {name: _on_common_seeds(claim, values) for name, claim in claims.items()}
    level = ALPHA / max(1, sum(table is not None for table in tables.values()))
    tested = {
        name: (evidence_for(claims[name], table, level=level), table.shape[1])
        for name, table in tables.items()
        if table is not None
    }
    two_sided = [min(1.0, 2 * min(t.p_for, t.p_against)) for t, _ in tested.values()]
    corrected = dict(zip(tested, holm(two_sided), strict=True))
    found = {}
    for name, claim in claims.items():
        if name in tested:
            test, seeds = tested[name]
            found[name] = _decided(test, corrected[name], seeds)
        else:
            found[name] = _untested(claim, values)
    return found


def evidence_for(claim: Claim, table: Floats, *, level: float = ALPHA) -> Evidence:
    """Return the test of a claim.

    Parameters
    ----------
    claim : Claim
    table : array, shape (k, n)
        Its points in order, on common seeds.
    level : float
        At which `Evidence.seeds` would decide.
    """
    points = len(table)
    if claim.kind == "flat":
        return flatness_test(table)
    if claim.kind == "interior":
        peak = next(i for i, point in enumerate(claim.points) if claim.peak in point)
        return _both([_above(table, peak, end, level) for end in (0, points - 1)])
    ranks = np.arange(points) - (points - 1) / 2
    weights = {
        "greater": [1.0, -1.0],
        "nearer": [1.0, -0.5, -0.5],
        "rising": list(ranks),
        "falling": list(-ranks),
    }[claim.kind]
    return contrast_test(table, weights, level=level)


def _above(table: Floats, one: int, other: int, level: float) -> Evidence:
    return contrast_test(table[[one, other]], [1.0, -1.0], level=level)


def _both(tests: Sequence[Evidence]) -> Evidence:
    """Return the test that all of several hold, at the level of each (intersection-union).

    Against: that any fails, for which the smallest p-value is multiplied by their number.
    """
    needed = [test.seeds for test in tests]
    return Evidence(
        effect=min(test.effect for test in tests),
        p_for=max(test.p_for for test in tests),
        p_against=min(1.0, len(tests) * min(test.p_against for test in tests)),
        seeds=None if None in needed else max(n for n in needed if n is not None),
    )


def _on_common_seeds(claim: Claim, values: Mapping[Point, Mapping[int, float]]) -> Floats | None:
    if claim.unavailable or not all(point in values for point in claim.points):
        return None
    seeds = sorted(set.intersection(*(set(values[point]) for point in claim.points)))
    if len(seeds) < 2:
        return None
    return np.array([[values[point][seed] for seed in seeds] for point in claim.points])


def _decided(test: Evidence, p_holm: float, seeds: int) -> ClaimVerdict:
    p_value = min(1.0, 2 * min(test.p_for, test.p_against))
    speaks_for = test.p_for <= test.p_against
    word: Word = "undecided"
    if p_holm <= ALPHA:
        word = "confirmed" if speaks_for else "contradicted"
    words = f"p = {p_holm:.2g} of {seeds} seeds"
    if word == "undecided":
        more = f"more than {MOST} seeds" if test.seeds is None else f"{test.seeds} seeds"
        words += f"; {more} would decide it if the difference seen is the true one"
    return ClaimVerdict(
        word=word,
        words=words,
        effect=test.effect,
        p_value=p_value,
        p_holm=p_holm,
        seeds=seeds,
        seeds_needed=test.seeds if word == "undecided" else None,
    )


def _untested(claim: Claim, values: Mapping[Point, Mapping[int, float]]) -> ClaimVerdict:
    if claim.unavailable:
        return ClaimVerdict(word="unavailable", words=claim.unavailable)
    missing = [f"{row}, {column}" for row, column in claim.points if (row, column) not in values]
    if missing:
        return ClaimVerdict(word="not run", words=f"there are no runs of {'; '.join(missing)}")
    common = set.intersection(*(set(values[point]) for point in claim.points))
    return ClaimVerdict(
        word="undecided",
        words=f"its points have {len(common)} common seeds and a test takes at least 2",
        seeds=len(common),
        seeds_needed=2,
    )
