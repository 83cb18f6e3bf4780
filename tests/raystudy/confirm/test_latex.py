"""A race's table as LaTeX and as rows."""

import csv
import dataclasses
import io
import json
import re

import pytest
from stored_search import search

from raystudy.cli.export import export
from raystudy.confirm import latex
from raystudy.errors import UserError

ROBUST, TEST = "val/robust_accuracy", "test/robust_accuracy"
HOW = "robust accuracy under PGD(LinfBall(epsilon=0.1)) on digits(val_share=0.2); fingerprint 26ab"


def entry(trial, mean, difference=None, left=None):
    test = {"values": [0.1, 0.2, 0.3], "mean": mean, "low": mean - 0.03, "high": mean + 0.03}
    if difference is not None:
        test |= {"difference": difference, "difference_low": difference - 0.02}
        test |= {"difference_high": difference + 0.02, "p_value": 0.0123, "p_holm": 0.0246}
    return {
        "trial": trial,
        "label": f"trial {trial}" if trial else "published recipe",
        "seeds": [1, 2, 3],
        "objectives": {ROBUST: {"values": [0.4] * 3, "mean": 0.4, "low": 0.4, "high": 0.4}},
        "test": {} if left else {TEST: test},
        "left": left and {"round": 2, "reason": left},
    }


RACE = {
    "confidence": 0.95,
    "measured": HOW,
    "finalists": [entry(0, 0.356), entry(3, 0.4579, 0.1019), entry(5, 0.0, left="worse")],
}


def test_the_paper_gets_means_with_intervals_seeds_tests_and_the_fingerprint():
    text = latex.latex(RACE, "swaro on digits")
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    assert body == [
        r"published recipe & 3 & $35.6 \pm 3.0$ & -- & -- \\",
        r"trial 3 & 3 & $45.8 \pm 3.0$ & $+10.2 \pm 2.0$ & 0.025 \\",
        r"trial 5 & 3 & -- & -- & -- \\",
    ]
    assert r"digits(val\_share=0.2); fingerprint 26ab.}" in text
    assert "95\\% interval" in text


def test_what_latex_would_take_for_itself_is_escaped_and_braces_balance():
    text = latex.latex(RACE | {"measured": r"50%_of {a} & b#c~d^e\f$"}, "x_y")
    assert r"50\%\_of \{a\} \& b\#c\textasciitilde{}d\textasciicircum{}e\textbackslash{}f\$" in text
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    columns = re.search(r"begin{tabular}{(\w+)}", text)[1]
    assert all(line.count("&") == len(columns) - 1 for line in text.splitlines() if " & " in line)


def test_a_confirm_is_exported_as_its_table_and_only_once_it_is_over(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    folder = search(tmp_path, [0.5]).folder
    manifest = dataclasses.replace(folder.read_manifest(), kind="confirm")
    folder.write_manifest(manifest)
    with pytest.raises(UserError, match="is not finished"):
        export("simclr-1", [], file_format="latex", output=None)
    (folder.path / "confirm.json").write_text(json.dumps(RACE))
    export("simclr-1", [], file_format="csv", output=None)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["trial"], row["measure"]) for row in rows] == [
        ("0", ROBUST),
        ("0", TEST),
        ("3", ROBUST),
        ("3", TEST),
        ("5", ROBUST),
    ]
    assert float(rows[3]["p_holm"]) == 0.0246
    assert {row["measured"] for row in rows} == {HOW}
    export("simclr-1", [], file_format="latex", output=None)
    assert capsys.readouterr().out == latex.latex(RACE, "simclr on digits")
