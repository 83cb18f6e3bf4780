"""Planted faults never come out as reproduced; a true repetition does."""

import copy
import random
from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from raystudy.config import compose
from raystudy.errors import UserError
from raystudy.evaluation import register
from raystudy.reproduce import arms, judgement, references
from raystudy.reproduce.run import job_of
from raystudy.reproduce.runs import Run
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ReproducePlan
from raystudy.study import evaluated

TABLE = register.read("swaro/table8")
JOB = arms.job_of(TABLE, TABLE.tiers["full"])
SUITE = OmegaConf.to_container(
    compose.load("swaro", ["data=cifar10", "+suite=swaro_table8"]).suite, resolve=True
)
CONTEXT = {"data": "cifar10", "data_fingerprint": "f", "split": "test", "images": 10000, "seed": 0}
ROW, COLUMN = "K=25", "linf 8/255"


def share(percent, attack=None, epsilon=None, suite=SUITE):
    mark = evaluated.fingerprint(suite, CONTEXT, "le_swaro", attack, epsilon)
    right = round(100 * percent)
    return {"accuracy": right / 10000, "right": right, "images": 10000, "fingerprint": mark}


def record(clean, robust, suite=SUITE):
    row = {"attack": "pgd20_linf", "norm": "linf", "epsilon": 8 / 255}
    row |= share(robust, "pgd20_linf", 8 / 255, suite)
    protocol = {"clean": share(clean, suite=suite), "robust": [row], "worst": [], "warnings": {}}
    protocols = {"le_swaro": protocol}
    return {**CONTEXT, "weights": "last.ckpt", "suite": suite, "protocols": protocols}


def run(seed, clean, robust, arm=ROW, state="complete", **changes):
    made = record(clean, robust, suite=changes.pop("suite", SUITE)) | changes
    return Run(
        arm=arm,
        seed=seed,
        study="swaro-table8-full-1",
        trial=seed,
        state=state,
        reason="loss is nan" if state == "diverged" else "",
        seconds=1.0,
        passes=1.0,
        metrics={},
        folder=Path(),
        records={"swaro_table8": made},
    )


def runs(shift=0.0, seeds=3, **changes):
    """Repetitions of the paper's first row, with a little noise."""
    draw = random.Random(4)
    return [
        run(seed, 87.6 + draw.gauss(0, 0.2), 37.4 + shift + draw.gauss(0, 0.2), **changes)
        for seed in range(seeds)
    ]


def verdict(given, tier="full", column=COLUMN):
    found = judgement.document(JOB, given, tier=tier)
    return next(c for c in found["cells"] if (c["row"], c["column"]) == (ROW, column))


def test_a_true_repetition_is_reproduced():
    assert verdict(runs())["verdict"] == "reproduced"
    assert verdict(runs(), column="clean")["verdict"] == "reproduced"


@pytest.mark.parametrize(("shift", "word"), [(8.0, "higher"), (-8.0, "lower")])
def test_a_shift_of_points_is_called_by_its_side(shift, word):
    assert verdict(runs(shift))["verdict"] == word


def test_robust_accuracy_above_the_papers_is_suspect_until_a_stronger_attack_agrees():
    given = runs(8.0)
    assert verdict(given)["suspect"]
    for one in given:
        found = one.records["swaro_table8"]["protocols"]["le_swaro"]
        found["worst"] = [{"norm": "linf", "epsilon": 8 / 255, "accuracy": 0.44}]
    assert not verdict(given)["suspect"]


@pytest.mark.parametrize(
    "change",
    [
        {"attacks": {"pgd20_linf": {"adversary": {"steps": 5}}}},
        {"protocols": {"le_swaro": {"best_on_test": True}}},
        {"protocols": {"le_swaro": {"encoder_mode": "train"}}},
    ],
)
def test_another_attack_or_protocol_is_no_repetition(change):
    suite = OmegaConf.to_container(OmegaConf.merge(copy.deepcopy(SUITE), change))
    found = verdict(runs(suite=suite))
    assert found["verdict"] == "other protocol"
    assert " for " in found["words"]


@pytest.mark.parametrize(
    "change", [{"weights": "best.safetensors"}, {"split": "val"}, {"images": 1000}]
)
def test_other_weights_images_or_splits_are_no_repetition(change):
    assert verdict(runs(**change))["verdict"] == "other protocol"


def test_a_masked_network_is_not_reproduced():
    given = runs()
    for one in given:
        found = one.records["swaro_table8"]["protocols"]["le_swaro"]
        found["warnings"] = {"linf 8/255": ["more steps do not help"]}
    assert verdict(given)["verdict"] == "undecided"
    assert verdict(given)["suspect"]


def test_a_run_that_diverged_decides_its_cell():
    assert verdict([*runs(), run(7, 0, 0, state="diverged")])["verdict"] == "diverged"


def test_what_was_trained_and_not_measured_names_the_command_that_measures_it():
    unmeasured = [replace(one, records={}) for one in runs(seeds=2)]
    found = verdict(unmeasured)
    assert (found["verdict"], found["words"]) == ("not run", "trained, not measured")
    trials = "swaro-table8-full-1/0 swaro-table8-full-1/1"
    tier = replace(TABLE.tiers["full"], suite=["suite.max_images=9", "~suite.protocols.rle_swaro"])
    job = arms.job_of(TABLE, tier)
    (line,) = judgement.document(job, unmeasured, tier="full")["to_measure"]
    how = "suite=swaro_table8 suite.max_images=9 '~suite.protocols.rle_swaro'"
    assert line == f"raystudy evaluate {trials} {how}"
    job = arms.job_of(TABLE, replace(tier, columns=["clean", COLUMN]))
    assert judgement.document(job, runs(), tier="full")["to_measure"] == []
    half = [*runs(seeds=1), unmeasured[1]]
    (line,) = judgement.document(job, half, tier="full")["to_measure"]
    assert line == f"raystudy evaluate swaro-table8-full-1/1 {how}"


def test_smoke_says_nothing_of_the_paper():
    found = judgement.document(JOB, runs(), tier="smoke")
    assert {cell["verdict"] for cell in found["cells"]} == {"not run"}
    assert {claim["word"] for claim in found["claims"]} == {"not run"}


def test_a_training_at_another_scale_judges_no_cell_and_says_what_departs():
    tier = TABLE.tiers["full"]
    small = arms.job_of(TABLE, tier, ["max_epochs=3"])
    found = judgement.document(small, runs(), tier="full")
    cell = next(c for c in found["cells"] if (c["row"], c["column"]) == (ROW, COLUMN))
    assert cell["verdict"] == "not run"
    assert "max_epochs is 3 for 2000" in cell["words"]
    assert "max_epochs: 3 for 2000" in found["departures"]


def test_numbers_measured_in_two_ways_are_refused():
    other = OmegaConf.to_container(
        OmegaConf.merge(SUITE, {"attacks": {"pgd20_linf": {"adversary": {"steps": 5}}}})
    )
    with pytest.raises(UserError, match="measured in 2 ways"):
        judgement.document(JOB, [*runs(), run(9, 87, 37, suite=other)], tier="full")


def test_rows_measured_in_two_ways_are_refused():
    other = OmegaConf.to_container(
        OmegaConf.merge(SUITE, {"attacks": {"pgd20_linf": {"adversary": {"steps": 5}}}})
    )
    with pytest.raises(UserError, match="measured in 2 ways"):
        judgement.document(JOB, [*runs(), run(0, 87, 37, arm="K=50", suite=other)], tier="full")


def test_the_head_says_which_difference_could_be_seen():
    seen = judgement.document(JOB, runs(), tier="full")["seen"]["clean"]
    assert seen["seeds"] == 3
    assert seen["difference"] > seen["sd"]


SHOWN = register.read("swaro/table4")
SHOWN_JOB = arms.job_of(SHOWN, SHOWN.tiers["full"])
SHOWN_SUITE = OmegaConf.to_container(
    compose.load("swaro", ["data=cifar10", "+suite=swaro_table4"]).suite, resolve=True
)


def shown(percent, suite=SHOWN_SUITE, seeds=3):
    """Runs of RoCL, on images made on AT in 8/255, and of AT."""
    names, share = ["a/0", "a/1"], percent / 100
    attack = {"attack": "transfer_linf", "norm": "linf", "epsilon": 8 / 255}
    matrix = {"accuracy": [[0, share]] * 2, "right": [[0, round(10000 * share)]] * 2}
    transfer = {"networks": names, "images": 10000, "matrices": [attack | matrix]}
    own = record(80, 40, suite=SUITE) | {"suite": suite}
    records = {"swaro_table4": own, "swaro_table4-transfer": transfer}
    return [
        replace(run(seed, 0, 0, arm=arm), study="a", trial=trial, records=records if trial else {})
        for seed in range(seeds)
        for trial, arm in enumerate(("AT", "RoCL"))
    ]


def on_images_of_at(given):
    found = judgement.document(SHOWN_JOB, given, tier="full")
    return next(c for c in found["cells"] if (c["row"], c["column"]) == ("RoCL", "AT 8/255"))


def test_networks_that_show_each_other_images_are_measured_together():
    unmeasured = [
        replace(one, records={}, trial=2 * one.seed + (one.arm == "RoCL")) for one in shown(82.03)
    ]
    lines = judgement.document(SHOWN_JOB, unmeasured, tier="full")["to_measure"]
    assert sorted(lines) == [
        f"raystudy evaluate a/{2 * seed} a/{2 * seed + 1} suite=swaro_table4" for seed in range(3)
    ]


def weaker():
    change = {"transfers": {"transfer_linf": {"adversary": {"steps": 5}}}}
    return OmegaConf.to_container(OmegaConf.merge(copy.deepcopy(SHOWN_SUITE), change))


def test_images_made_on_another_network_are_judged_like_any_attack():
    assert on_images_of_at(shown(82.03))["verdict"] == "reproduced"
    found = on_images_of_at(shown(82.03, weaker()))
    assert (found["verdict"], "steps: 5 for 20" in found["words"]) == ("other protocol", True)


def test_images_made_in_two_ways_are_refused():
    mixed = [*shown(82.03, seeds=1), *shown(82.03, weaker(), seeds=2)[2:]]
    with pytest.raises(UserError, match="measured in 2 ways"):
        on_images_of_at(mixed)


def test_some_rows_need_some_trainings():
    assert list(arms.of_rows(JOB, ["K=50", "K=25"])) == ["K=25", "K=50"]
    msr = register.read("msr/table1")
    shared = arms.job_of(msr, msr.tiers["reduced"])
    assert len(arms.of_rows(shared, ["MSR, decaying beta"])) == 1


def test_some_rows_are_judged_by_themselves():
    plan = ReproducePlan(
        table=TABLE.name, tier="full", seeds=(0, 1, 2), arms=arms.of_rows(JOB, [ROW])
    )
    job = job_of(Manifest(kind="reproduce", name="swaro", reproduce=plan))
    found = judgement.document(job, runs(), tier="full")
    words = {cell["row"]: cell["verdict"] for cell in found["cells"] if cell["column"] == COLUMN}
    assert words == {row: "reproduced" if row == ROW else "not run" for row in TABLE.rows}


def test_a_reference_is_judged_as_its_runs_were(tmp_path):
    found = judgement.document(JOB, runs(seeds=3), tier="full")
    references.save(found, [str(tmp_path)])
    kept = references.runs(references.read("swaro/table8", "full", [str(tmp_path)]))
    again = judgement.document(JOB, kept, tier="full")
    for part in ("cells", "claims", "seen", "departures"):
        assert again[part] == found[part]
    assert [run["cells"] for run in again["runs"]] == [run["cells"] for run in found["runs"]]
    assert again["cells"][1]["verdict"] == found["cells"][1]["verdict"] == "reproduced"


def test_a_reference_of_another_protocol_stays_one(tmp_path):
    found = judgement.document(JOB, runs(weights="best.safetensors"), tier="full")
    references.save(found, [str(tmp_path)])
    kept = references.runs(references.read("swaro/table8", "full", [str(tmp_path)]))
    again = judgement.document(JOB, kept, tier="full")
    assert again["cells"][1]["verdict"] == "other protocol"
    assert again["cells"] == found["cells"]
