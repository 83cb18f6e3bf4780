"""Published accuracies, to compare measured ones with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from raystudy.evaluation import register
from raystudy.evaluation.published_table import CLEAN, PERCENT, Table


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
        Of the same name as its table, if it has one of its own.
    study : str
        Name of the method's YAML.
    trained : DictConfig
        The trial's configuration; rows may hold for some of its settings only (`where`).
    measured_on : str
        Name of the data set.
    search_path : sequence of str
    """
    paper = f"{suite.partition('_')[0]}_"  # other tables of it may be measured by the same suite
    names = register.names(search_path)
    own = [name for name in names if name.replace("/", "_") == suite]
    others = [name for name in names if name.replace("/", "_").startswith(paper)]
    for name in dict.fromkeys([*own, *others]):
        table = register.read(name, search_path)
        if accuracies := _accuracies(table, suite, study, trained, measured_on):
            return Published(
                source=table.source,
                setup=table.setup,
                caution=table.caution,
                accuracies=accuracies,
            )
    return None


def _accuracies(
    table: Table, suite: str, study: str, trained: DictConfig, measured_on: str
) -> dict[tuple[str, str, float], float]:
    found = {}
    for cell in table.cells:
        printed, protocol, row = cell.printed, cell.protocol, cell.row
        if printed is None or protocol is None or cell.column.unit != PERCENT:
            continue
        if cell.column.source or row.options or (cell.suite, row.study) != (suite, study):
            continue
        where = {"data.name": cell.data, **cell.where}
        same = all(OmegaConf.select(trained, path) == value for path, value in where.items())
        if same and measured_on == (cell.column.measured_on or cell.data):
            found[protocol, cell.column.attack, cell.column.epsilon] = printed.value / 100
    return found


def beside(record: Mapping[str, Any], published: Published | None) -> dict[str, Any]:
    """Return a record with the published accuracy beside each measured one that has one."""
    if published is None:
        return {**record, "published": None}

    def with_published(entry: Mapping[str, Any], column: tuple[str, float]) -> dict[str, Any]:
        return {**entry, "published": published.accuracy_of(protocol, *column)}

    protocols = {}
    for protocol, found in record["protocols"].items():
        robust = [with_published(row, (row["attack"], row["epsilon"])) for row in found["robust"]]
        clean = with_published(found["clean"], (CLEAN, 0.0))
        protocols[protocol] = {**found, "clean": clean, "robust": robust}
    where = {key: getattr(published, key) for key in ("source", "setup", "caution")}
    return {**record, "protocols": protocols, "published": where}
