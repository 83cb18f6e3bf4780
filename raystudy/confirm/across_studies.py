"""Winners of several studies' races against each other, pair by pair on common seeds."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from rich.table import Table

from raystudy.config.spec import Objective
from raystudy.confirm.conclusions import amount, bare
from raystudy.confirm.statistics import holm, paired_t
from raystudy.study.confirmed import Entry, Race, ranked

FEWEST = 2  # common seeds


def tests(races: Mapping[str, Race], objective: Objective, metric: str) -> list[dict[str, Any]]:
    """Return the paired test of every two studies' winners, Holm-corrected together.

    Parameters
    ----------
    races : mapping of str to Race
        By study.
    objective : Objective
        Whose best on validation images wins a race.
    metric : str
        On test images.
    """
    winners = {study: _winner(race, objective) for study, race in races.items()}
    found: list[dict[str, Any]] = []
    for studies in combinations(races, 2):
        both = [winners[study] for study in studies]
        ours, theirs = (_by_seed(entry, metric) for entry in both)
        seeds = sorted(ours.keys() & theirs.keys())
        if len(seeds) >= FEWEST:
            paired = paired_t([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds])
            names = [entry["label"] for entry in both]
            common = {"studies": list(studies), "configurations": names, "seeds": seeds}
            found.append({**common, "metric": metric, **paired._asdict()})
    for test, p_value in zip(found, holm([test["p_value"] for test in found]), strict=True):
        test["p_holm"] = p_value
    return found


def _winner(race: Race, objective: Objective) -> Entry:
    best = ranked(race, objective)
    entries: list[Entry] = race["finalists"]
    return next(one for one in entries if one["trial"] == (best[0] if best else one["trial"]))


def _by_seed(entry: Entry, metric: str) -> dict[int, float]:
    found = entry["test"].get(metric, {"values": []})
    return dict(zip(found.get("seeds", entry["seeds"]), found["values"], strict=False))


def table(found: list[dict[str, Any]], *, stacked: bool) -> Table:
    """Return the tests as a table, two winners one below the other if they are stacked."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("winners", "seeds", "measure", "difference", "95% interval", "p", "p Holm"):
        is_word = title in ("winners", "measure")
        shown.add_column(title, justify="left" if is_word else "right", no_wrap=title == "winners")
    for test in found:
        metric = test["metric"]
        pairs = zip(test["studies"], test["configurations"], strict=True)
        shown.add_row(
            ("\n- " if stacked else " - ").join(
                f"{study} ({configuration})" for study, configuration in pairs
            ),
            str(len(test["seeds"])),
            metric.removeprefix("test/") if stacked else metric,
            amount(test["difference"], metric, sign=True),
            f"{bare(test['low'], metric, sign=True)} to {bare(test['high'], metric, sign=True)}",
            f"{test['p_value']:.2g}",
            f"{test['p_holm']:.2g}",
        )
    return shown
