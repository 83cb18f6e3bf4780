"""What a tier of a table trains and measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raystudy.errors import UserError
from raystudy.evaluation.published_table import TIERS, Cell, Table, Tier
from raystudy.search.search_space import literal
from raystudy.storage.plans import Arm

SMOKE, REDUCED, FULL = TIERS


@dataclass(frozen=True, kw_only=True)
class Job:
    """A tier of a table as trainings and cells.

    Parameters
    ----------
    table : Table
    tier : Tier
    arms : mapping of str to Arm
        Each training once, named after the first row that needs it.
    cells : sequence of tuple of Cell and str
        What is measured, and the arm it is measured on.
    """

    table: Table
    tier: Tier
    arms: Mapping[str, Arm]
    cells: Sequence[tuple[Cell, str]]

    def arm_of(self, row: str, column: str) -> str | None:
        """Return the arm of a cell; None if the tier has none."""
        names = [arm for c, arm in self.cells if (c.row_name, c.column_name) == (row, column)]
        return names[0] if names else None


def tier_of(table: Table, name: str) -> Tier:
    """Return a tier of a table.

    Raises
    ------
    UserError
        If the table has no such tier, or nothing of it can be computed; with the reason.
    """
    if name not in TIERS:
        raise UserError(f"--tier is one of {', '.join(TIERS)}, got '{name}'.")
    tier = table.tiers.get(name)
    why = table.unavailable or ("there is none" if tier is None else tier.unavailable)
    if tier is None or why:
        others = [one for one, t in table.tiers.items() if not t.unavailable]
        listed = bool(others) and not table.unavailable
        there = f"; its other tiers: {', '.join(others)}" if listed else ""
        raise UserError(f"{table.name} cannot be run at --tier {name}: {why}{there}.")
    return tier


def job_of(table: Table, tier: Tier, more: Sequence[str] = (), *, on_cpu: bool = False) -> Job:
    """Return what a tier runs.

    Parameters
    ----------
    table : Table
    tier : Tier
    more : sequence of str
        Overrides of every training that have the last word.
    on_cpu : bool
        Whether bits count, which a GPU does not repeat.
    """
    device = ("device=cpu",) if on_cpu else ()
    arms: dict[str, Arm] = {}
    cells = []
    for cell in table.cells:
        if not _is_run(cell, tier):
            continue
        own = (*tier.overrides, *tier.rows.get(cell.row_name, ()), *more, *device)
        assert cell.row.study is not None
        arm = Arm(study=cell.row.study, overrides=(*at_scale(cell), *own))
        known = next((name for name, other in arms.items() if other == arm), None)
        name = known or _free_name(cell, arms)
        arms[name] = arm
        cells.append((cell, name))
    return Job(table=table, tier=tier, arms=arms, cells=cells)


def of_rows(job: Job, rows: Sequence[str]) -> Mapping[str, Arm]:
    """Return the trainings that some rows need.

    Raises
    ------
    UserError
        If the tier does not train one of them.
    """
    trained = list(dict.fromkeys(cell.row_name for cell, _ in job.cells))
    for row in rows:
        if row not in trained:
            known = ", ".join(f"'{one}'" for one in trained)
            raise UserError(f"--row: this tier of {job.table.name} has {known}; got '{row}'.")
    needed = {arm for cell, arm in job.cells if cell.row_name in rows}
    return {name: arm for name, arm in job.arms.items() if name in needed}


def at_scale(cell: Cell) -> list[str]:
    """Return the overrides of a cell's training at the paper's own scale."""
    where = [f"{path}={literal(value)}" for path, value in cell.where.items()]
    data = [f"data={cell.data}"] if cell.data else []
    return [*data, *cell.row.options, *where]


def _is_run(cell: Cell, tier: Tier) -> bool:
    if cell.row.study is None or cell.row.unavailable or cell.column.unavailable:
        return False
    if tier.columns and cell.column_name not in tier.columns:
        return False
    if cell.column.source == cell.row_name:  # a network's own images are no transfer
        return False
    sources = set(tier.rows) or set(cell.table.rows)
    if cell.column.source is not None and cell.column.source not in sources:
        return False
    return not tier.rows or cell.row_name in tier.rows


def _free_name(cell: Cell, taken: Mapping[str, Arm]) -> str:
    return cell.row_name if cell.row_name not in taken else f"{cell.row_name}, {cell.column_name}"
