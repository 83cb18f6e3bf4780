"""The result of a race, read from its file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raystudy.config.spec import RECIPE, Objective, as_test, maximised

FILE, FLOOR = "confirm.json", "floor.json"
Race = Mapping[str, Any]
Entry = Mapping[str, Any]


def read_race(folder: Path, name: str = FILE) -> Race | None:
    """Return what `raystudy confirm` wrote; None if there is none, or it is torn."""
    try:
        race: Race = json.loads((folder / name).read_text())
    except (OSError, ValueError):
        return None
    return race if isinstance(race, dict) and race.get("finalists") else None


def smallest_detectable(race: Race, metric: str) -> float | None:
    """Return the smallest difference of means that the race's seeds detect."""
    floor = race.get("noise_floors", {}).get(metric, {})
    paired: float | None = floor.get("paired")
    unpaired: float | None = floor.get("unpaired")
    return unpaired if paired is None else paired


def is_noise(race: Race, measured: Entry, metric: str) -> bool:
    """Return whether a difference to the recipe is too small for the race's seeds to detect."""
    floor, difference = smallest_detectable(race, metric), measured.get("difference")
    return floor is not None and difference is not None and abs(difference) < floor


def floor_of_one_run(folder: Path, metric: str) -> float | None:
    """Return the noise floor of two single runs, if a race or a floor was run."""
    for name in (FILE, FLOOR):
        race = read_race(folder, name)
        floor = race.get("noise_floors", {}).get(metric, {}) if race else {}
        if "one_seed" in floor:
            return float(floor["one_seed"])
    return None


def ranked(race: Race, objective: Objective) -> list[int]:
    """Return the trials that stayed in the race to its end, the best first.

    Those that beat the published recipe on test images come before all others; the recipe runs
    with the others.
    """
    there = [
        (not _beats_recipe(one, objective), -maximised(objective, mean), int(one["trial"]))
        for one in race["finalists"]
        for mean in [one["objectives"][objective.metric]["mean"]]
        if mean is not None and not one["left"]
    ]
    return [number for _, _, number in sorted(there)]


def _beats_recipe(entry: Entry, objective: Objective) -> bool:
    test = entry["test"].get(as_test(objective.metric), {})
    if entry["trial"] == RECIPE or "difference" not in test:
        return False
    return bool(test["p_holm"] <= ALPHA and maximised(objective, test["difference"]) > 0)


ALPHA = 0.05
