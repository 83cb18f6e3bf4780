"""References of our own beside the papers': all raw runs, by which the wiring is known again.

``search_spaces/published/references/<paper>_<table>-<tier>.json``. In the same environment
(versions, processor, device) the smoke tier repeats every number bit for bit. In another the last
bits of sums differ, and attacks by the sign of a gradient enlarge what differs: there no bit is
asked for, and what differs is counted.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from raystudy.errors import UserError
from raystudy.evaluation.published_table import Cell
from raystudy.evaluation.register import FOLDER
from raystudy.reproduce.runs import Measured, Run
from raystudy.storage.folders import write_atomically

Found = Mapping[str, Any]
NOT_KEPT = ("user", "host", "git")  # of a machine, not of a result


def save(found: Found, search_path: Sequence[str] = ()) -> Path:
    """Write a document as the reference of its table and tier.

    Parameters
    ----------
    found : mapping
        What ``reproduce.json`` holds.
    search_path : sequence of str
        The first of it gets the file; else the folder of raystudy's own YAML.
    """
    root = Path(search_path[0]) if search_path else Path(str(resources.files("search_spaces")))
    path = root / FOLDER / "references" / _file(found["table"], found["tier"])
    kept = ("format", "table", "tier", "date", "departures", "runs")
    document = {key: found[key] for key in kept} | {"environment": environment(found)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(document, indent=1) + "\n")
    except OSError as error:
        raise UserError(
            f"--save-reference: {path} cannot be written ({error.strerror}); give a folder of your "
            f"own by --search-path."
        ) from None
    return path


def read(table: str, tier: str, search_path: Sequence[str] = ()) -> dict[str, Any] | None:
    """Return the reference of a tier of a table, if there is one."""
    roots = [Path(str(resources.files("search_spaces"))), *map(Path, search_path)]
    for root in roots:
        path = root / FOLDER / "references" / _file(table, tier)
        if path.is_file():
            found: dict[str, Any] = json.loads(path.read_text())
            return found
    return None


@dataclass(frozen=True, kw_only=True)
class KeptRun(Run):
    """A run of a reference, of which the numbers were kept and what is wrong with them.

    Parameters
    ----------
    kept : mapping of (str, str) to Measured
        By row and column.
    otherwise : mapping of (str, str) to str
        How each was measured otherwise than in the table.
    """

    kept: Mapping[tuple[str, str], Measured]
    otherwise: Mapping[tuple[str, str], str]

    def measured(self, cell: Cell) -> Measured | None:
        """Return what it measured in a cell, if it did."""
        return self.kept.get((cell.row_name, cell.column_name))

    def kept_otherwise(self, cell: Cell) -> str | None:
        """Return how a cell was measured otherwise than in the table; empty if it was not."""
        return self.otherwise.get((cell.row_name, cell.column_name), "")


def runs(reference: Found) -> list[Run]:
    """Return the runs of a reference."""
    return [_run(run) for run in reference["runs"]]


def _run(run: Found) -> KeptRun:
    cells = {(cell["row"], cell["column"]): cell for cell in run["cells"]}
    same = ("arm", "study", "trial", "seed", "state", "reason", "seconds", "passes")
    return KeptRun(
        **{name: run[name] for name in same},
        metrics=run["training"],
        folder=Path(),
        kept={point: _measured(cell) for point, cell in cells.items()},
        otherwise={point: cell.get("otherwise", "") for point, cell in cells.items()},
    )


def _measured(cell: Found) -> Measured:
    kept = {field.name: cell[field.name] for field in fields(Measured)}
    return Measured(**{**kept, "masked": tuple(cell["masked"])})


def environment(found: Found) -> dict[str, Any]:
    """Return what bits depend on: versions, processor, device, instruction set."""
    import torch

    own = {k: v for k, v in found["provenance"].items() if k not in NOT_KEPT}
    versions = {k: v for k, v in own["versions"].items() if k != "raystudy"}
    return {
        **own,
        "versions": versions,
        "raystudy": own["versions"]["raystudy"],
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "precision": "float32",
    }


def compare(found: Found, reference: Found | None) -> dict[str, Any] | None:
    """Return how a document compares with the reference of its tier.

    Returns
    -------
    dict or None
        ``same_environment``, ``differences`` (each a sentence) and the reference's ``date``.
    """
    if reference is None:
        return None
    ours, theirs = environment(found), reference["environment"]
    keys = ("versions", "python", "device", "machine", "cpu_capability", "precision")
    other = [key for key in keys if ours.get(key) != theirs.get(key)]
    own_runs = {_of(run): run for run in found["runs"]}
    differences = []
    for run in reference["runs"]:
        name = f"{run['arm']}, seed {run['seed']}"
        if (own := own_runs.get(_of(run))) is None:
            differences.append(f"{name} was not run")
        elif own["state"] != run["state"]:
            differences.append(f"{name} is {own['state']}, was {run['state']}")
        else:
            differences += [f"{name}: {words}" for words in _numbers(own, run)]
    return {"date": reference["date"], "other_environment": other, "differences": differences}


def _of(run: Found) -> tuple[str, int]:
    return run["arm"], run["seed"]


def _numbers(own: Found, before: Found) -> list[str]:
    """Return every number that differs in a bit."""
    pairs = [(name, own["training"].get(name), value) for name, value in before["training"].items()]
    cells = {(c["row"], c["column"]): c for c in own["cells"]}
    for cell in before["cells"]:
        if cell["fingerprint"] == "" and cell["right"] is None:
            continue  # hours, which no two runs share
        now = cells.get((cell["row"], cell["column"]), {})
        pairs.append((f"{cell['row']}, {cell['column']}", now.get("value"), cell["value"]))
    return [f"{name} is {now}, was {then}" for name, now, then in pairs if now != then]


def words(compared: Found | None) -> str:
    """Return the comparison in a sentence; empty without a reference."""
    if compared is None:
        return ""
    date, differences, other = (
        compared[key] for key in ("date", "differences", "other_environment")
    )
    if not differences:
        return f"equal bit for bit to the reference of {date}"
    if other:
        return (
            f"{len(differences)} numbers differ from the reference of {date}, which was made with "
            f"other {', '.join(other)}: no bits are compared"
        )
    return f"differs from the reference of {date}, made in this environment: {differences[0]}"


def failed(found: Found) -> bool:
    """Return whether the wiring has changed: numbers of the same environment differ."""
    compared = found.get("reference")
    same = compared is not None and not compared["other_environment"]
    return bool(found["tier"] == "smoke" and same and compared and compared["differences"])


def _file(table: str, tier: str) -> str:
    return f"{table.replace('/', '_')}-{tier}.json"
