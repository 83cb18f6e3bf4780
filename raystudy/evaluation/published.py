"""Published accuracies, to compare measured ones with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from raystudy.config import catalogue, compose

CLEAN = ("none", 0.0)


@dataclass(frozen=True, kw_only=True)
class Published:
    """Accuracies of one method in one paper's table.

    Parameters
    ----------
    source : str
        Paper and table.
    setup : str
        What was trained there, and how long.
    caution : str
        A caveat of the table; may be empty.
    accuracies : mapping of (str, str, float) to float
        By protocol, attack (``none``: clean) and epsilon; in [0, 1].
    """

    source: str
    setup: str
    caution: str
    accuracies: Mapping[tuple[str, str, float], float]

    def accuracy_of(self, protocol: str, attack: str, epsilon: float) -> float | None:
        """Return the published accuracy of a measurement, if there is one."""
        for (known, by, within), accuracy in self.accuracies.items():
            if (known, by) == (protocol, attack) and math.isclose(within, epsilon):
                return accuracy
        return None


def find_table(
    suite: str, study: str, trained: DictConfig, measured_on: str, search_path: Sequence[str] = ()
) -> Published | None:
    """Return what the suite's table says of a method, if it has it on this data.

    Parameters
    ----------
    suite : str
        ``published/SUITE.yaml`` is the table.
    study : str
        Name of the method's YAML.
    trained : DictConfig
        The trial's configuration; rows may hold for some of its settings only (`where`).
    measured_on : str
        Name of the data set.
    search_path : sequence of str
    """
    table = read_table(suite, search_path)
    accuracies = {}
    for row in table.get("rows", ()):
        row = {"data": table.get("data"), "where": {}, **row}
        if row["study"] != study or row["data"] != measured_on:
            continue
        where = {"data.name": row.get("trained_on", row["data"]), **row["where"]}
        if all(OmegaConf.select(trained, path) == value for path, value in where.items()):
            columns = [CLEAN, *map(tuple, table["attacks"])]
            for (attack, epsilon), percent in zip(columns, row["percent"], strict=True):
                if percent is not None:
                    accuracies[row["protocol"], attack, float(epsilon)] = percent / 100
    if not accuracies:
        return None
    return Published(
        source=table["source"],
        setup=table["setup"],
        caution=table.get("caution", ""),
        accuracies=accuracies,
    )


def beside(record: Mapping[str, Any], published: Published | None) -> dict[str, Any]:
    """Return a record with the published accuracy beside each measured one that has one."""
    if published is None:
        return {**record, "published": None}

    def with_published(entry: Mapping[str, Any], column: tuple[str, float]) -> dict[str, Any]:
        return {**entry, "published": published.accuracy_of(protocol, *column)}

    protocols = {}
    for protocol, found in record["protocols"].items():
        robust = [with_published(row, (row["attack"], row["epsilon"])) for row in found["robust"]]
        clean = with_published(found["clean"], CLEAN)
        protocols[protocol] = {**found, "clean": clean, "robust": robust}
    where = {key: getattr(published, key) for key in ("source", "setup", "caution")}
    return {**record, "protocols": protocols, "published": where}


def read_table(name: str, search_path: Sequence[str]) -> dict[str, Any]:
    """Return a table, over the one it is `like`; empty if there is none."""
    path = catalogue.find_yaml(f"published/{name}", search_path)
    if path is None:
        return {}
    table = compose.read_yaml(path)
    like = table.get("like")
    return {**read_table(like, search_path), **table} if like else table
