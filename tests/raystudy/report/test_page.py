"""The whole page: complete, safe, small, and with nothing needed from elsewhere."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from optuna.distributions import FloatDistribution

from raystudy.cli.report import report
from raystudy.errors import UserError
from raystudy.report import page
from raystudy.report.section import number
from raystudy.report.write import figures
from raystudy.study import comparability
from raystudy.study.stored import StoredStudy, StoredTrial
from raystudy.study.study import Outcome
from raystudy.trackers.mlflow import MlflowTracker, sync

ROBUST, CLEAN = "val/robust_accuracy", "val/accuracy"
HOSTILE = '<script>alert("1")</script>&amp;\x1b[31m\'"'


def write(study):
    assert report(study.id, ["tracker=none"]) == 0
    return (study.folder.path / "report.html").read_text()


def trial(number_, epochs=2):
    def told(params):
        worth = 0.5 - 0.1 * math.log10(params["optimizer.lr"]) ** 2
        return [
            {
                ROBUST: worth * epoch / epochs + number_ % 7 / 1000,
                CLEAN: 0.9 - worth / 10,
                "val/knn_accuracy": 0.9,
                "train/loss": 1.0,
                "cost/updates": 8.0 * epoch,
                "cost/images": 1024.0 * epoch,
                "cost/flops": 1.23456789e9 * epoch,
            }
            for epoch in range(1, epochs + 1)
        ]

    return told


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(study_of, page_in):
    html = write(study_of([trial(n) for n in range(6)]))
    found = page_in(html)
    assert not found.tags & {"script", "link", "img", "iframe", "object", "embed"}
    for name, value in found.attributes:
        assert not name.startswith("on")
        if name in ("href", "src"):
            assert value.startswith("#")
    assert "url(" not in html
    assert "@import" not in html
    assert set(re.findall(r"https?://[^\"'<\s]+", html)) == {"http://www.w3.org/2000/svg"}


def test_each_section_has_a_sentence_and_says_where_its_numbers_are_from(study_of):
    study = study_of([trial(n) for n in range(10)] + [([], Outcome("failed", "ValueError: no"))])
    parts = page.sections(study)
    assert [part.title for part in parts] == [
        "Question",
        "Best trial",
        "History",
        "Importance",
        "Slices",
        "Learning curves",
        "Rung audit",
        "Failures by cause",
        "Cost",
        "Setup",
        "Provenance",
        "All trials",
    ]
    for part in parts:
        assert part.words.endswith((".", "?"))
        assert part.source


def test_the_table_of_all_trials_is_what_export_writes(study_of, capsys, page_in):
    from raystudy.cli.export import export

    study = study_of([trial(n) for n in range(5)] + [([], Outcome("failed", "ValueError: no"))])
    html = write(study)
    capsys.readouterr()
    export(study.id, [], file_format="csv", output=None)
    exported = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    rows = page_in(html).rows
    (start,) = [
        i for i, row in enumerate(rows) if row[:4] == ["trial", "state", "epochs", "seconds"]
    ]
    header, told = rows[start], rows[start + 1 :]
    assert len(told) == len(exported) == 6
    for row, expected in zip(told, exported, strict=True):
        for name, cell in zip(header, row, strict=True):
            if name == "seconds":
                continue
            value = expected[name]
            if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", value):
                assert float(cell) == pytest.approx(float(value), rel=1e-5)
            else:
                assert cell == value


def test_every_axis_and_objective_has_its_picture(study_of):
    study = study_of([trial(n) for n in range(10)], f"study.objectives=[{CLEAN},{ROBUST}]")
    found = figures(page.sections(study))
    for metric in ("val-accuracy", "val-robust-accuracy"):
        for kind in ("history", "curves", "cost", "importance", "slice-optimizer-lr"):
            assert f"{kind}-{metric}" in found
    assert "front-val-accuracy-val-robust-accuracy" in found
    for picture in found.values():
        assert ElementTree.fromstring(picture).get("role") == "img"


def test_hostile_names_and_words_stay_words(study_of, page_in):
    choice = json.dumps(HOSTILE.replace("\x1b", "").replace("'", ""))
    study = study_of(
        [trial(n) for n in range(3)] + [([], Outcome("failed", f"ValueError: {HOSTILE}"))],
        f"clusters.every=choice(1,{choice})",
    )
    log = study.trial_folder(3).error
    log.parent.mkdir(parents=True)
    log.write_text(HOSTILE)
    test = {HOSTILE: {"mean": 0.1, "low": 0.0, "high": 0.2}}
    finalist = {"trial": 0, "label": HOSTILE, "seeds": [1], "values": [0.5], "test": test}
    finalist |= {"mean": 0.5, "low": 0.4, "high": 0.6, "left": {"reason": HOSTILE}}
    race = {"finalists": [finalist], "metric": HOSTILE, "confidence": 0.95, "ended": HOSTILE}
    race["conclusion"] = [HOSTILE]
    (study.folder.path / "confirm.json").write_text(json.dumps(race))
    html = write(study)
    found = page_in(html)
    assert "script" not in found.tags
    assert "\x1b" not in html
    assert '<script>alert("1")</script>&amp;' in "".join(found.words)


@pytest.mark.parametrize("trials", [[], [([{ROBUST: 0.1, CLEAN: 0.5}], None)]])
def test_a_study_that_has_hardly_begun_has_a_report(study_of, trials, page_in):
    study = study_of(trials, "study.num_trials=9")
    html = write(study)
    assert "No trial has completed." in "".join(page_in(html).words)


def test_a_measure_that_is_the_same_everywhere_can_be_drawn(study_of):
    study = study_of([[{ROBUST: 0.5}, {ROBUST: 0.5}] for _ in range(5)])
    assert "nan" not in "".join(figures(page.sections(study)).values()).lower()


def test_a_report_goes_where_it_is_told_and_says_so(study_of, tmp_path, capsys):
    study = study_of([trial(0)])
    elsewhere = tmp_path / "there"
    elsewhere.mkdir()
    assert report(study.id, [], output=str(elsewhere)) == 0
    assert f"report of mine: {elsewhere}/report.html" in capsys.readouterr().out
    assert report(study.id, [], output=str(elsewhere / "own.html")) == 0
    assert (elsewhere / "own.html").read_text().startswith("<!doctype html>")
    with pytest.raises(UserError, match="there is no folder"):
        report(study.id, [], output=str(tmp_path / "no" / "own.html"))


def test_cells_have_six_digits():
    cells = [0.123456789, 41, 1.0, 4.1806e11, None, True, "words", math.nan, 2e-7]
    assert [number(cell) for cell in cells] == [
        "0.123457",
        "41",
        "1",
        "4.1806e+11",
        "",
        "true",
        "words",
        "nan",
        "2e-07",
    ]


@pytest.mark.slow
def test_the_report_of_a_thousand_long_trials_is_below_a_megabyte(study_of, page_in):
    study = study_of([trial(n, epochs=3) for n in range(4)], f"study.objectives=[{CLEAN},{ROBUST}]")
    first = study.trials[0]
    rng = np.random.default_rng(0)
    study.__dict__["trials"] = [  # as if the journal had them, which takes seconds to write
        random_trial(first, study.composed[0].distributions, n, rng) for n in range(1000)
    ]
    html = page.render(study, page.sections(study))
    assert len(html.encode()) < 1_000_000
    numbers = {row[0] for row in page_in(html).rows if len(row) > 10}
    assert {str(n) for n in range(1000)} <= numbers


def random_trial(like, axes, n, rng):
    """Return a trial of 200 epochs, with as many digits as there can be, that no other beats."""
    params = {
        path: like.params[path]
        if not isinstance(axis, FloatDistribution)
        else float(rng.uniform(axis.low, axis.high))
        for path, axis in axes.items()
    }
    measures = {name: float(rng.uniform()) for name in like.summary.metrics}
    measures[ROBUST] = 1 - measures[CLEAN]
    last = {name: measures[name] for name in (CLEAN, ROBUST)}
    curve = {epoch: {name: rng.uniform() for name in last} for epoch in range(1, 201)}
    summary = replace(
        like.summary, number=n, metrics=measures, last=last, epoch=200, seconds=rng.uniform()
    )
    # Importance takes seconds; pruned trials are as long to write as complete ones.
    summary = replace(summary, state="pruned" if n % 10 else "complete")
    return StoredTrial(summary, params, {**curve, 200: measures})


@pytest.mark.slow
def test_mlflow_keeps_the_page_and_its_figures_with_the_study(study_of, home):
    study = study_of([trial(n) for n in range(4)], trackers=[MlflowTracker(None)])
    uri, artifacts = f"sqlite:///{home}/mlflow.db", str(home / "artifacts")
    assert sync(study.folder, uri, artifacts=artifacts).error == ""
    assert report(study.id, ["tracker.enabled=true"]) == 0
    (kept,) = home.glob("artifacts/**/report.html")
    assert kept.read_text() == (study.folder.path / "report.html").read_text()
    names = {path.stem for path in (kept.parent / "figures").iterdir()}
    assert names == set(figures(page.sections(StoredStudy(study.folder))))


def test_every_part_with_accuracies_says_how_they_were_measured(study_of):
    study = study_of([trial(n) for n in range(3)])
    stamp = f"fingerprint {comparability.fingerprint(study)}"
    told = [part.title for part in page.sections(study) if stamp in part.measured]
    assert told == [
        "Best trial",
        "History",
        "Slices",
        "Learning curves",
        "Cost",
        "Setup",
        "All trials",
    ]
