"""The document of a reproduction on the console, in LaTeX and for a tracker."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raystudy import terminal
from raystudy.confirm.latex import escaped
from raystudy.evaluation.published_table import HOURS
from raystudy.reproduce import references

Found = Mapping[str, Any]
SHORT = {"no number": "", "not run": "", "unavailable": ""}
COLOURS = {
    "reproduced": "green",
    "confirmed": "green",
    "contradicted": "red",
    "higher": "red",
    "lower": "red",
    "diverged": "red",
}
TIERS = {
    "smoke": "proves that everything is wired; it says nothing of the paper",
    "reduced": "proves signs, never cells",
    "full": "is the paper's own scale",
}


def show(console: Console, found: Found, *, as_json: bool) -> None:
    """Print the document: as tables, or as one JSON value."""
    if as_json:
        terminal.print_json(found)
        return
    console.print(Text(f"{found['source']}: {found['title']}", style="bold"))
    console.print(f"tier {found['tier']}, which {TIERS[found['tier']]}")
    console.print(headline(found))
    if compared := references.words(found.get("reference")):
        console.print(compared, style="red" if references.failed(found) else "")
    for column, seen in found["seen"].items():
        console.print(
            f"{column}: {seen['seeds']} seeds see a difference of {seen['difference']:.2f} between "
            f"two rows in {seen['power']:.0%} of cases (sd {seen['sd']:.2f})"
        )
    console.print(_table(found))
    if found["claims"]:
        console.print(_claims(found))
    for title, lines in _remarks(found).items():
        console.print(Text(f"{title}: {'; '.join(lines)}", style="dim"))
    for line in found.get("to_measure", []):
        console.print(Text(f"trained, not measured; run '{line}'"), soft_wrap=True)


def headline(found: Found) -> str:
    """Return how many cells and claims got which verdict, in a sentence."""
    cells = Counter(cell["verdict"] for cell in found["cells"])
    claims = Counter(claim["word"] for claim in found["claims"])
    words = [f"{n} {word}" for word, n in cells.items()]
    said = f"cells: {', '.join(words)}" if words else "no cells"
    if claims:
        said += f"; claims: {', '.join(f'{n} {word}' for word, n in claims.items())}"
    suspects = sum(cell["suspect"] for cell in found["cells"])
    return f"{said}; {suspects} robust accuracies are suspect" if suspects else said


def _remarks(found: Found) -> dict[str, list[str]]:
    reasons = [
        f"{cell['row']}, {cell['column']}: {cell['words']}"
        for cell in found["cells"]
        if cell["words"] and cell["verdict"] not in SHORT
    ]
    papers = [f"{n}: {words}" for n, words in found["inconsistencies"].items()]
    lists = {"verdicts": reasons, "departures": found["departures"], "of the paper": papers}
    return {title: list(lines) for title, lines in lists.items() if lines}


def _rows(found: Found) -> dict[str, dict[str, Found]]:
    rows: dict[str, dict[str, Found]] = {}
    for cell in found["cells"]:
        rows.setdefault(cell["row"], {})[cell["column"]] = cell
    return rows


def _shown_columns(found: Found) -> list[str]:
    """Return the columns in which there is a number of ours, or all if there is none."""
    columns = dict.fromkeys(cell["column"] for cell in found["cells"])
    measured = [c for c in columns if any(x["values"] for x in found["cells"] if x["column"] == c)]
    return measured or list(columns)


def _table(found: Found) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    shown.add_column("")
    columns = _shown_columns(found)
    for column in columns:
        shown.add_column(f"{column}\nours / paper", justify="right")
    for row, cells in _rows(found).items():
        shown.add_row(row, *(_cell(cells[column]) for column in columns))
    return shown


def _cell(cell: Found) -> Text:
    numbers = f"{ours(cell)} / {cell['printed'] or '-'}"
    word = SHORT.get(cell["verdict"], cell["verdict"])
    style = COLOURS.get(cell["verdict"], "")
    return Text(f"{numbers} {word}".rstrip(), style=style)


def ours(cell: Found) -> str:
    """Return our mean and deviation of a cell, in its unit."""
    values = list(cell["values"].values())
    if not values:
        return "-"
    mean = sum(values) / len(values)
    digits = ".3g" if cell["unit"] == HOURS else ".2f"
    if len(values) == 1:
        return f"{mean:{digits}}"
    sd = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
    return f"{mean:{digits}}±{sd:{digits}}"


def _claims(found: Found) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("claim", "verdict", ""):
        shown.add_column(title, overflow="fold")
    for claim in found["claims"]:
        word = Text(claim["word"], style=COLOURS.get(claim["word"], ""))
        shown.add_row(claim["claim"]["words"], word, claim["words"])
    return shown


def measures(found: Found) -> dict[str, float]:
    """Return means and p-values as flat measures for a tracker."""
    flat = {}
    for cell in found["cells"]:
        if values := list(cell["values"].values()):
            name = f"reproduce/{cell['row']}/{cell['column']}"
            flat[_plain(name)] = sum(values) / len(values)
    for claim in found["claims"]:
        if claim["p_holm"] is not None:
            flat[_plain(f"reproduce/{claim['name']}/p_holm")] = claim["p_holm"]
    return flat


def _plain(name: str) -> str:
    """Return a name of characters that every tracker takes."""
    return "".join(c if c.isalnum() or c in "/_-. " else "_" for c in name)


def latex(found: Found) -> str:
    r"""Return ours beside theirs as a table that needs ``\usepackage{booktabs}``."""
    columns = _shown_columns(found)
    head = ["", *(escaped(c) for c in columns)]
    lines = [
        " & ".join([escaped(row), *(_latex_cell(cells[column]) for column in columns)]) + r" \\"
        for row, cells in _rows(found).items()
    ]
    said = f"{found['source']}, {found['title']}: ours / the paper's, tier {found['tier']}. "
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(said + headline(found))}.}}",
            rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
            r"\toprule",
            " & ".join(head) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _latex_cell(cell: Found) -> str:
    numbers = f"{ours(cell)} / {cell['printed'] or '-'}".replace("±", r"\pm ")
    word = SHORT.get(cell["verdict"], cell["verdict"])
    return f"${numbers}$ {word}".rstrip()
