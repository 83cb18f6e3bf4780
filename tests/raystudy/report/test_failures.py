"""Failures: causes, regions and last words."""

import math

from raystudy.report import failures
from raystudy.study.study import Outcome

ROBUST = "val/robust_accuracy"


def robust(*values):
    return [{ROBUST: value} for value in values]


def row_of(table, first):
    (row,) = [row for row in table.rows if row[0] == first]
    return dict(zip(table.header, row, strict=True))


def test_failures_are_put_down_to_their_causes(study_of):
    said = {
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB": "out of memory",
        "MemoryError: ": "out of memory",
        "out of memory: the system killed its process twice": "out of memory",
        "its process died 3 times": "lost worker",
        "val/accuracy was never reported; measures there: none": "not measured",
        "OSError: [Errno 28] No space left on device": "disk",
        "RuntimeError: CUDA error: an illegal memory access": "device",
        "ValueError: 3 is not 4": "code",
        "it stopped although nobody asked it to": "other",
    }
    trials = [robust(0.5), *(((), Outcome("failed", reason)) for reason in said)]
    trials += [robust(math.inf), (robust(0.4), Outcome("collapsed", "FGSM 0.8, PGD 0.0"))]
    study = study_of(trials)
    causes = [failures.cause(t) for t in study.trials if t.summary.state != "complete"]
    assert causes == [*said.values(), "not finite", "collapsed"]
    counts = {row[0]: row[1] for row in failures.section(study).tables[0].rows}
    assert counts["out of memory"] == 3


def test_failures_that_share_a_region_of_an_axis_say_so(study_of):
    def diverges_at_high_rates(params):
        return robust(math.nan if params["optimizer.lr"] > 3.5 else 0.5)

    study = study_of([robust(0.5)] + [diverges_at_high_rates] * 60)
    lost = [t.params["optimizer.lr"] for t in study.trials if t.summary.state == "diverged"]
    assert len(lost) >= 4  # or the test shows nothing
    table = failures.section(study).tables[0]
    region = row_of(table, "not finite")["region"]
    assert region.startswith("optimizer.lr ")
    # The recipe's rate, which is in that region, did not fail.
    assert region.endswith(f"as {len(lost) + 1} of 61 trials")


def test_failures_all_over_the_space_have_no_region(study_of):
    trials = [robust(math.nan) if number % 3 == 1 else robust(0.5) for number in range(60)]
    assert row_of(failures.section(study_of(trials)).tables[0], "not finite")["region"] == ""


def test_the_last_words_of_a_failed_trial_are_shown(study_of):
    study = study_of([robust(0.5), ((), Outcome("failed", "ValueError: no"))])
    error = study.trial_folder(1).error
    error.parent.mkdir(parents=True)
    error.write_text("Traceback\n" + "  line\n" * 9000 + "ValueError: <b>no</b>\n\n")
    (row,) = failures.section(study).tables[1].rows
    assert row[0] == 1
    assert row[-1] == "line / line / ValueError: <b>no</b>"
