"""The conclusion of a race as sentences, and its table."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table

from raystudy.config.spec import RECIPE, Objective, as_test, maximised
from raystudy.confirm.statistics import CONFIDENCE, seeds_to_detect
from raystudy.study.confirmed import ALPHA, is_noise

Entry = Mapping[str, Any]


def conclude(
    entries: Sequence[Entry], floors: Mapping[str, Mapping[str, Any]], objective: Objective
) -> str:
    """Return one objective's conclusion in a sentence or two.

    The finalist named is the one with the best mean on validation images among those whose
    difference on test images is significant after Holm, or among all if there is none.
    """
    if len(entries) == 1:
        return _of_recipe(floors.get(objective.metric), objective.metric)
    metric = as_test(objective.metric)
    there = [
        e for e in entries if e["trial"] != RECIPE and "difference" in e["test"].get(metric, {})
    ]
    if not there:
        return "no finalist could be compared with the published recipe on test images"
    there.sort(key=lambda e: -maximised(objective, e["objectives"][objective.metric]["mean"]))
    sure = [e for e in there if e["test"][metric]["p_holm"] <= ALPHA]
    better = [e for e in sure if maximised(objective, e["test"][metric]["difference"]) > 0]
    if better:
        also = [str(e["trial"]) for e in better[1:]]
        more = f"; so do trials {', '.join(also)}" if len(also) > 1 else ""
        more = f"; so does trial {also[0]}" if len(also) == 1 else more
        return f"{_words(better[0], metric, 'beats', objective)}{more}"
    if sure:
        return (
            f"no finalist beats the published recipe; {_words(sure[0], metric, 'loses', objective)}"
        )
    return _nothing(there[0], metric, floors.get(metric, {}))


def _of_recipe(floor: Mapping[str, Any] | None, metric: str) -> str:
    if floor is None:
        return "the published recipe has not run on two seeds"
    sd = floor["sd"]
    said = f"the published recipe's {metric} varies by {amount(sd, metric)} (sd of "
    said += f"{floor['seeds']} seeds)"
    point = 0.01 if is_share(metric) else sd
    if not sd:
        return said
    seeds = seeds_to_detect(point, sd)
    return f"{said}; detecting {amount(point, metric)} takes {seeds} seeds of each configuration"


def _words(entry: Entry, metric: str, verb: str, objective: Objective) -> str:
    test = entry["test"][metric]
    sign = 1 if verb == "beats" else -1
    sign *= 1 if objective.direction == "maximize" else -1
    ends = sorted((sign * test["difference_low"], sign * test["difference_high"]))
    holm = "" if test["p_holm"] == test["p_value"] else " after Holm's correction"
    against_recipe = "beats the published recipe" if verb == "beats" else "loses to it"
    return (
        f"{entry['label']} {against_recipe} by {amount(sign * test['difference'], metric)} of "
        f"{metric} ({CONFIDENCE:.0%} interval {bare(ends[0], metric)} to {bare(ends[1], metric)}), "
        f"p = {test['p_holm']:.2g}{holm}"
    )


def _nothing(entry: Entry, metric: str, floor: Mapping[str, Any]) -> str:
    test = entry["test"][metric]
    detectable = floor.get("paired") or floor.get("unpaired")
    noise = (
        f"; {len(test['values'])} seeds detect single differences of "
        f"{amount(detectable, metric)} or more"
        if detectable is not None
        else ""
    )
    # A difference that is significant in one test may not be after the correction for several.
    above = detectable is not None and abs(test["difference"]) >= detectable
    what = "differs significantly" if above else "differs by more than noise"
    holm = " after Holm's correction" if above else ""
    return (
        f"no finalist {what} from the published recipe: {entry['label']}, the best on validation "
        f"images, by {amount(test['difference'], metric, sign=True)} of {metric} "
        f"({CONFIDENCE:.0%} interval {bare(test['difference_low'], metric, sign=True)} to "
        f"{bare(test['difference_high'], metric, sign=True)}), "
        f"p = {test['p_holm']:.2g}{holm}{noise}"
    )


def bare(value: float, metric: str, *, sign: bool = False) -> str:
    """Return a difference as a number: accuracies in points of a percent."""
    plus = "+" if sign else ""
    return f"{100 * value:{plus}.1f}" if is_share(metric) else f"{value:{plus}.3g}"


def amount(value: float, metric: str, *, sign: bool = False) -> str:
    """Return a difference with its unit."""
    return f"{bare(value, metric, sign=sign)}{' points' if is_share(metric) else ''}"


def is_share(metric: str) -> bool:
    """Return whether a measure is a share of images."""
    return metric.endswith("accuracy")


def table(summary: Mapping[str, Any], metric: str) -> Table:
    """Return the final standing in one objective.

    Parameters
    ----------
    summary : mapping
        The content of ``confirm.json``.
    metric : str
        The objective, on validation images.
    """
    test = as_test(metric)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    titles = ("configuration", "seeds", metric, test, "to the recipe", "p", "p Holm", "")
    is_floor = len(summary["finalists"]) == 1  # nothing was compared, and no test image read
    for title in titles[:3] if is_floor else titles:
        justify: JustifyMethod = "left" if title in ("configuration", "") else "right"
        shown.add_column(title, justify=justify, no_wrap=True)
    for entry in summary["finalists"]:
        measured = entry["test"].get(test, {})
        own = (
            str(entry["label"]),
            str(len(entry["seeds"])),
            _half_width(entry["objectives"][metric]),
        )
        if is_floor:
            shown.add_row(*own)
            continue
        shown.add_row(
            *own,
            _interval(measured),
            _difference(measured, metric),
            _p_value(measured.get("p_value")),
            _p_value(measured.get("p_holm")),
            f"left: {entry['left']['reason']}" if entry["left"] else "",
            style="dim" if is_noise(summary, measured, test) else None,
        )
    return shown


def floor_words(floor: Mapping[str, Any]) -> str:
    """Return the smallest detectable differences, from the recipe's own seeds."""
    metric = floor["metric"]
    paired = (
        f", paired with these finalists from {amount(floor['paired'], metric)}"
        if floor["paired"] is not None
        else ""
    )
    return (
        f"noise floor of {metric} (two-sided, {CONFIDENCE:.0%}), from the recipe's seeds: single "
        f"runs differ from {amount(floor['one_seed'], metric)} on, means of {floor['seeds']} seeds "
        f"from {amount(floor['unpaired'], metric)}{paired}; smaller differences are noise"
    )


def measures(entry: Entry) -> dict[str, float]:
    """Return the results of one configuration, such as ``test/accuracy/mean``, ``.../low``."""
    return {
        f"{metric}/{name}": interval[name]
        for metric, interval in (entry["objectives"] | entry["test"]).items()
        for name in ("mean", "low", "high", "difference", "p_value", "p_holm")
        if isinstance(interval.get(name), float)
    }


def _half_width(interval: Mapping[str, float | None]) -> str:
    if interval["mean"] is None or interval["high"] is None:
        return "-"
    return f"{interval['mean']:.4f} ± {interval['high'] - interval['mean']:.4f}"


def _interval(measured: Mapping[str, Any]) -> str:
    if measured.get("mean") is None:
        return "-"
    return f"{measured['mean']:.4f} [{measured['low']:.4f}, {measured['high']:.4f}]"


def _difference(measured: Mapping[str, Any], metric: str) -> str:
    return amount(measured["difference"], metric, sign=True) if "difference" in measured else "-"


def _p_value(p_value: float | None) -> str:
    return "-" if p_value is None else f"{p_value:.2g}"
