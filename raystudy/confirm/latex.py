"""The table of a race for a paper: means with intervals, seeds, tests, and how all was measured."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from raystudy.config.spec import as_test
from raystudy.confirm.conclusions import is_share
from raystudy.study.confirmed import Entry, Race

KEYS = ("mean", "low", "high", "difference", "difference_low", "difference_high")
_SPECIAL: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def rows(race: Race) -> Iterator[dict[str, Any]]:
    """Yield a row for each configuration and measure, with all digits."""
    for one in race["finalists"]:
        measures = {**one["objectives"], **one["test"]}
        for metric, found in measures.items():
            yield {
                "configuration": one["label"],
                "trial": one["trial"],
                "measure": metric,
                "seeds": len(found["values"]),
                **{key: found.get(key) for key in (*KEYS, "p_value", "p_holm")},
                "left": (one["left"] or {}).get("reason", ""),
                "measured": race.get("measured", ""),
            }


def latex(race: Race, title: str) -> str:
    r"""Return a table in LaTeX that needs ``\usepackage{booktabs}``.

    Parameters
    ----------
    race : mapping
        The content of ``confirm.json``.
    title : str
        What it is about, such as ``swaro on digits``.
    """
    metrics = list(race["finalists"][0]["objectives"])
    head = ["configuration", "seeds"]
    for metric in metrics:
        name = as_test(metric).replace("/", " ").replace("_", " ")
        head += [f"{name} (\\%)" if is_share(metric) else name, "difference", "$p$ (Holm)"]
    body = [_line(one, metrics) for one in race["finalists"]]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_caption(race, title)}}}",
            rf"\begin{{tabular}}{{lr{'rrr' * len(metrics)}}}",
            r"\toprule",
            f"{' & '.join(head)} \\\\",
            r"\midrule",
            *(f"{' & '.join(cells)} \\\\" for cells in body),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _caption(race: Race, title: str) -> str:
    level = f"{race['confidence']:.0%}"
    words = (
        f"{title}: mean and {level} interval (Student) over seeds on the test images. Differences "
        f"are to the published recipe on the same seeds, p-values of the paired t-test after "
        f"Holm's correction."
    )
    how = race.get("measured", "")
    return escaped(f"{words} Measured: {how}." if how else words)


def _line(one: Entry, metrics: list[str]) -> list[str]:
    cells = [escaped(str(one["label"])), str(len(one["seeds"]))]
    for metric in metrics:
        found = one["test"].get(as_test(metric), {})
        p_value = found.get("p_holm")
        cells += [
            _with_reach(found.get("mean"), found.get("high"), metric),
            _with_reach(found.get("difference"), found.get("difference_high"), metric, sign="+"),
            "--" if p_value is None else f"{p_value:.2g}",
        ]
    return cells


def _with_reach(value: float | None, high: float | None, metric: str, *, sign: str = "") -> str:
    if value is None or high is None:
        return "--"
    if is_share(metric):
        return f"${100 * value:{sign}.1f} \\pm {100 * (high - value):.1f}$"
    return f"${value:{sign}.3g} \\pm {high - value:.2g}$"


def escaped(words: str) -> str:
    """Return words as LaTeX prints them."""
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _SPECIAL[found[0]], words)
