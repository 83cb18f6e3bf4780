"""Numbers of trained networks, and who read the test split."""

import json

from raystudy.report import evaluations, reproduce
from raystudy.storage import split_readings

ROBUST = "val/robust_accuracy"


def share(accuracy, **more):
    return {"accuracy": accuracy, "low": 0.1, "high": 0.9, "images": 359, "right": 7, **more}


RECORD = {
    "format": 2,
    "label": "mine/0",
    "split": "test",
    "protocols": {
        "quick": {
            "clean": share(0.99, fingerprint="aaa"),
            "robust": [share(0.45, attack="pgd", norm="linf", epsilon=0.1, fingerprint="bbb")],
            "worst": [share(0.40, attacks=2, norm="linf", epsilon=0.1)],
            "warnings": {"linf 0.1": ["More restarts still win much."]},
            "flattering": {},
        }
    },
}


def test_every_number_comes_with_its_fingerprint_and_warnings(study_of):
    study = study_of([[{ROBUST: 0.5}]])
    assert evaluations.section(study) is None
    folder = study.trial_folder(0).path / "evaluations"
    folder.mkdir(parents=True)
    (folder / "quick.json").write_text(json.dumps(RECORD))
    (folder / "quick-transfer.json").write_text("{}")
    (folder / "torn.json").write_text('{"label":')
    section = evaluations.section(study)
    assert section.tables[0].rows == [
        ["mine/0", "test", "quick", "none", "", 0.99, 0.1, 0.9, 359, "aaa"],
        ["mine/0", "test", "quick", "pgd", "linf 0.1", 0.45, 0.1, 0.9, 359, "bbb"],
        ["mine/0", "test", "quick", "worst of 2", "linf 0.1", 0.40, 0.1, 0.9, 359, ""],
    ]
    assert section.warning == "mine/0, quick, linf 0.1: More restarts still win much."


def test_corruptions_have_their_mean_error(study_of):
    study = study_of([[{ROBUST: 0.5}]])
    folder = study.trial_folder(0).path / "evaluations"
    folder.mkdir(parents=True)
    fog = [share(0.75, corruption="fog", severity=1), share(0.25, corruption="fog", severity=2)]
    quick = RECORD["protocols"]["quick"] | {"corrupted": fog}
    record = RECORD | {"data": "cifar10_c", "protocols": {"quick": quick}}
    (folder / "corruptions.json").write_text(json.dumps(record))
    numbers, errors = evaluations.section(study).tables
    assert errors.rows == [
        ["mine/0", "cifar10_c", "quick", "mean corruption error", 0.5, 2 * 359, ""]
    ]
    assert [row[3:6] for row in numbers.rows[-2:]] == [
        ["fog", "severity 1", 0.75],
        ["fog", "severity 2", 0.25],
    ]


SCORED = {
    "format": 2,
    "label": "mine/0",
    "data": "voc07",
    "protocol": "voc07_svm",
    "images": 4952,
    "scores": {"mAP": 0.5, "AP/bird": 0.25},
    "fingerprint": "ccc",
}


def test_a_downstream_tasks_scores_have_a_table_of_their_own(study_of):
    study = study_of([[{ROBUST: 0.5}]])
    folder = study.trial_folder(0).path / "evaluations"
    folder.mkdir(parents=True)
    (folder / "voc07_svm.json").write_text(json.dumps(SCORED))
    (table,) = evaluations.section(study).tables
    assert table.rows == [
        ["mine/0", "voc07", "voc07_svm", "mAP", 0.5, 4952, "ccc"],
        ["mine/0", "voc07", "voc07_svm", "AP/bird", 0.25, 4952, "ccc"],
    ]
    (folder / "quick.json").write_text(json.dumps(RECORD))
    assert len(evaluations.section(study).tables) == 2


def test_each_reading_of_the_test_split_is_shown(study_of):
    study = study_of([[{ROBUST: 0.5}]])
    assert reproduce.section(study).facts["test split"] == "never read"
    split_readings.record(
        study.folder.path, "confirm mine-confirm", configurations=[0, 3], seeds=[8]
    )
    section = reproduce.section(study)
    assert section.facts["test split"] == "read 1 time"
    ((_, by, trials, seeds, networks),) = section.tables[0].rows
    assert (by, trials, seeds, networks) == ("confirm mine-confirm", "0, 3", "8", 2)
