"""Costs, thinned pictures and commands."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystudy.report import cost, curves, reproduce, slices, trial_table
from raystudy.study.study import Outcome
from raystudy.trial.figures import FIGURES

ROBUST = "val/robust_accuracy"


def robust(*values):
    return [{ROBUST: value} for value in values]


def row_of(table, first):
    (row,) = [row for row in table.rows if row[0] == first]
    return dict(zip(table.header, row, strict=True))


def test_costs_add_up(study_of):
    trials = [
        [{ROBUST: 0.1, "cost/flops": 1e9}, {ROBUST: 0.5, "cost/flops": 3e9}],
        ([{ROBUST: 0.1, "cost/flops": 2e9}], Outcome("failed", "RuntimeError: no")),
        ((), Outcome("failed", "RuntimeError: no")),
    ]
    study = study_of(trials)
    (table,) = cost.section(study).tables
    flops = "floating-point operations"
    assert row_of(table, "complete")[flops] == 3e9
    assert row_of(table, "failed")[flops] == 2e9
    assert row_of(table, "all") == {
        "state": "all",
        "trials": 3,
        "seconds": pytest.approx(sum(t.summary.seconds for t in study.trials)),
        flops: 5e9,
    }
    assert row_of(table, "per trial")[flops] == pytest.approx(5e9 / 3)


def test_of_the_machine_only_what_means_something_adds_up(study_of):
    used = [
        {"cost/cpu_seconds": 10.0, "cost/memory_gib": 2.0},
        {"cost/cpu_seconds": 30.0, "cost/memory_gib": 4.0},
    ]
    study = study_of([[{ROBUST: 0.1, "cost/flops": 1e9, **one}] for one in used])
    totals, machine = cost.section(study).tables
    assert FIGURES["cost/cpu_seconds"].words not in totals.header
    shown = {"least": 10.0, "mean": 20.0, "most": 30.0, "all": 40.0}
    assert shown.items() <= row_of(machine, "CPU seconds").items()
    assert row_of(machine, "peak memory, GiB")["all"] is None
    assert row_of(machine, "peak memory, GiB")["most"] == 4.0


@pytest.mark.parametrize(
    ("hosts", "shown"),
    [
        (("n1", "n2", ""), ["n1", "n2", ""]),
        (("n1", "n1", ""), None),
        (("n1, n2", "n1, n2", "n1, n2"), ["n1, n2"] * 3),
        ((), None),
    ],
)
def test_trials_name_their_hosts_where_more_than_one_took_part(study_of, hosts, shown):
    study = study_of([robust(0.1), robust(0.2), robust(0.3)])
    for number, host in enumerate(hosts):
        study.trial_folder(number).path.mkdir(parents=True, exist_ok=True)
        study.trial_folder(number).host.write_text(host)
    (table,) = trial_table.section(study).tables
    rows = [row_of(table, number) for number in range(3)]
    assert [row.get("host") for row in rows] == (shown or [None] * 3)


@given(st.integers(1, 300), st.integers(2, 50))
def test_a_sparse_curve_keeps_its_ends(length, keep):
    curve = [(epoch, float(epoch)) for epoch in range(1, length + 1)]
    found = curves.sparse(curve, keep)
    assert found[0] == curve[0]
    assert found[-1] == curve[-1]
    assert len(found) <= keep + 1
    assert set(found) <= set(curve)


def test_of_very_many_trials_an_even_choice_is_drawn():
    kept, words = slices.thinned(list(range(1000)), 10, 2500)
    assert kept == list(range(0, 1000, 4))
    assert words == " Of 1000 trials every 4th is drawn."
    assert slices.thinned([1, 2], 10, 2500) == ([1, 2], "")


def test_commands_give_the_study_and_its_best_trial_again(study_of):
    study = study_of([robust(0.3), robust(0.5)], "optimizer.lr=1.0")
    found = reproduce.commands(study)
    assert found["sweep"] == (
        "raystudy sweep swaro study.num_trials=2 tracker=none trial_scheduler=none optimizer.lr=1.0"
    )
    assert found["replay trial 1"] == "raystudy replay mine/1"
    params = study.trials[1].params
    assert (
        f"clusters.probability={params['clusters.probability']!r}" in found["the same, written out"]
    )


def test_passwords_stay_out_of_commands(study_of):
    study = study_of([robust(0.3)], "tracker.uri='https://me:secret@host/x'")
    assert "secret" not in "".join(reproduce.commands(study).values())


def test_every_driver_that_took_part_is_shown(study_of):
    study = study_of([robust(0.3)])
    first, second = ({"host": host, "device": f"of {host}"} for host in ("here", "there"))
    study.manifest = dataclasses.replace(study.manifest, drivers=(first, second))
    facts = reproduce.section(study).facts
    assert (facts["device (1)"], facts["device (2)"]) == ("of here", "of there")
    assert "there" in facts["driver (2)"]
