"""What a table of the register refers to is there."""

from collections.abc import Iterable, Iterator

from raystudy.config.composition_errors import nearest
from raystudy.errors import UserError
from raystudy.evaluation.published_table import KINDS, TIERS, UNITS, Claim, Table

POINTS = {"greater": (2, 2), "nearer": (3, 3)}  # least and most; of the other kinds any number


def refuse_loose_ends(table: Table, file: str) -> None:
    """Refuse a row, column, kind or number of digits that does not fit the rest.

    Raises
    ------
    UserError
        Names the file and the place in it.
    """
    for where, name, known in _references(table):
        if name not in known:
            raise UserError(
                f"{file}: {where}: there is no '{name}'; {nearest(name, list(known))}there are: "
                f"{', '.join(known)}."
            )
    for name, row in table.rows.items():
        if row.printed and len(row.printed) != len(table.columns):
            raise UserError(
                f"{file}: rows.{name}: {len(row.printed)} printed numbers for "
                f"{len(table.columns)} columns; write one for each, - for none."
            )
        if row.study is None and not (row.unavailable or table.unavailable):
            raise UserError(
                f"{file}: rows.{name}: neither a study nor unavailable; name what trains it, or "
                f"say why nothing can."
            )
    for name, claim in table.claims.items():
        _refuse_points(claim, f"{file}: claims.{name}")


def _refuse_points(claim: Claim, where: str) -> None:
    if claim.unavailable:
        return
    least, most = POINTS.get(claim.kind, (2, len(claim.points)))
    if not least <= len(claim.points) <= most:
        many = str(least) if least == most else f"at least {least}"
        raise UserError(
            f"{where}: {claim.kind} is of {many} points (rows times columns), got "
            f"{len(claim.points)}."
        )


def _references(table: Table) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Yield the place, what is named there, and what may be named."""
    rows, columns = list(table.rows), list(table.columns)
    for name, column in table.columns.items():
        yield f"columns.{name}.unit", column.unit, UNITS
        if column.source is not None:
            yield f"columns.{name}.source", column.source, rows
    for name, claim in table.claims.items():
        where = f"claims.{name}"
        if not claim.unavailable:
            yield f"{where}.kind", claim.kind, KINDS
        yield from ((f"{where}.rows", row, rows) for row in claim.rows)
        yield from ((f"{where}.columns", column, columns) for column in claim.columns)
        if claim.peak or claim.kind == "interior":
            yield f"{where}.peak", claim.peak, [*claim.rows, *claim.columns]
    for name, tier in table.tiers.items():
        yield "tiers", name, TIERS
        yield from ((f"tiers.{name}.rows", row, rows) for row in tier.rows)
        yield from ((f"tiers.{name}.columns", column, columns) for column in tier.columns)
