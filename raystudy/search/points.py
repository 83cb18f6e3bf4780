"""`study.points`: configurations given by hand, which run right after trial 0."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution

from raystudy.errors import UserError
from raystudy.search import axes
from raystudy.search.axes import Value

Params = dict[str, Value]  # a configuration
Places = tuple[Value, ...]  # its place on the axes


def read(
    entries: Any,
    distributions: Mapping[str, BaseDistribution],
    published: Mapping[str, Value],
) -> tuple[Params, ...]:
    """Return whole configurations; what a point leaves out is as in trial 0.

    Parameters
    ----------
    entries : list of mapping of str to value
        ``[{optimizer.lr: 0.1}, ...]``
    distributions : mapping of str to BaseDistribution
        The axes of the search.
    published : mapping of str to value
        What trial 0 runs.

    Raises
    ------
    UserError
        If a point names no axis, or a value is not on its axis.
    """
    if not (isinstance(entries, list) and all(isinstance(entry, Mapping) for entry in entries)):
        raise UserError(
            f"study.points must be a list of configurations, such as "
            f"[{{optimizer.lr: 0.1}}, {{optimizer.lr: 0.2}}]; got {entries!r}."
        )
    return tuple({**published, **_point(entry, distributions)} for entry in entries)


def _point(entry: Mapping[Any, Any], distributions: Mapping[str, BaseDistribution]) -> Params:
    point: Params = {}
    for path, value in entry.items():
        if path not in distributions:
            raise UserError(
                f"study.points: '{path}' is not searched; {_nearest(path, distributions)}"
            )
        try:
            point[path] = axes.fitted(distributions[path], value)
        except (ValueError, TypeError):
            raise UserError(
                f"study.points: {path}={axes.shown(value)} is not among "
                f"{axes.describe(distributions[path])}; choose a value of the search space, or "
                f"widen it."
            ) from None
    return point


def _nearest(path: Any, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(path), list(known), n=1, cutoff=0.5)
    there = ", ".join(known) or "none"
    return f"did you mean '{close[0]}'?" if close else f"the axes are: {there}."


def places(distributions: Mapping[str, BaseDistribution], params: Mapping[str, Any]) -> Places:
    """Return a configuration's place on the axes: equal for equal configurations."""
    return tuple(axes.place(axis, params[path]) for path, axis in distributions.items())


def distinct(
    points: Iterable[Mapping[str, Value]], distributions: Mapping[str, BaseDistribution]
) -> list[Params]:
    """Return the configurations without those that equal one before them."""
    by_place: dict[Places, Params] = {}
    for point in points:
        by_place.setdefault(places(distributions, point), dict(point))
    return list(by_place.values())
