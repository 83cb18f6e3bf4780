"""Verbs that read, stop and delete what lies on disk."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from busy import PATIENCE_S
from study_holder import HOLDER

from raystudy.cli import main
from raystudy.config.spec import StudySpec
from raystudy.report import trial_table
from raystudy.search.search_space import SearchSpace
from raystudy.storage import waiting
from raystudy.storage.folders import StudyFolder, create_study_folder
from raystudy.storage.manifest import Cut, Manifest
from raystudy.storage.waiting import Waiting
from raystudy.study.info import StudyInfo
from raystudy.study.stored import StoredStudy
from raystudy.study.study import Outcome, Study

pytestmark = pytest.mark.usefixtures("study")
OVERRIDES = ["study.num_trials=3", "optimizer.lr=1.0", "tracker=none"]
ROBUST = "val/robust_accuracy"


def begin(home, study_id="mine", *more):
    """Open a study of SwARo as `sweep` does."""
    overrides = [*OVERRIDES, *more]
    space, composed = SearchSpace.load("swaro", overrides)
    settings = composed.config
    folder = create_study_folder(home, "swaro", study_id)
    folder.write_manifest(Manifest(kind="sweep", name="swaro", overrides=tuple(overrides)))
    info = StudyInfo.of(
        folder, space, StudySpec.read(settings.study), folder.read_manifest(), resumed=False
    )
    choices = {"_target_": "optuna.samplers.RandomSampler"}
    pruner = {"_target_": "optuna.pruners.NopPruner"}
    return Study.open(info, space, sampler=choices, trial_scheduler=pruner, max_epochs=10)


def tell(study, robust, outcome="completed"):
    """Run a trial that reports two epochs."""
    trial = study.next_trial()
    for epoch, value in enumerate((robust / 2, robust), start=1):
        study.report(trial.number, epoch, {ROBUST: value, "cost/flops": 1e9 * epoch})
    study.finish(trial.number, Outcome(outcome))
    return trial


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def study(home):
    """A study of three trials whose second is best and whose last failed."""
    with begin(home) as study:
        for robust, outcome in [(0.3, "completed"), (0.5, "completed"), (0.1, "failed")]:
            tell(study, robust, outcome)
    return study


def run(capsys, *arguments):
    code = main.main(arguments)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_studies_lists_all_with_state_and_best(home, capsys):
    with begin(home, "other") as other:
        tell(other, 0.2)
    code, out, _ = run(capsys, "studies")
    assert code == 0
    told = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert "complete" in told["mine"]
    assert "3/3" in told["mine"]
    assert "robust 0.5000" in told["mine"]
    assert "interrupted" in told["other"]
    assert "1/3" in told["other"]


def test_status_shows_every_trial(capsys):
    _, out, _ = run(capsys, "status", "mine")
    assert "mine is complete: 3 of 3 trials ended" in out
    assert [line.split()[1] for line in out.splitlines()[1:4]] == ["complete", "complete", "failed"]


def test_status_tells_of_a_trial_that_runs(home, capsys):
    study = begin(home, "other")
    trial = study.next_trial()
    study.report(trial.number, 1, {ROBUST: 0.25})
    _, out, _ = run(capsys, "status", "other", "--json")
    told = json.loads(out)
    assert told["state"] == "interrupted"  # nobody holds the lock
    (only,) = told["trials"]
    assert (only["state"], only["epoch"], only["last"]) == ("running", 1, {ROBUST: 0.25})
    study.close()


def test_best_gives_the_command_that_replays_it(study, capsys):
    _, out, _ = run(capsys, "best", "mine", "--json")
    (best,) = json.loads(out)
    assert best["number"] == 1
    assert best["command"] == study.command(1)
    assert "optimizer.lr=1.0" in best["command"]


def test_reading_changes_nothing(home, capsys):
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    for verb in (["studies"], ["status", "mine"], ["best", "mine"], ["compare", "mine"]):
        run(capsys, *verb)
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_torn_last_line_is_left_out(home):
    journal = home / "studies" / "mine" / "journal.log"
    whole = StoredStudy.open(home, "mine").trials
    with journal.open("a") as file:
        file.write('{"op_code": 8, "wor')
    assert StoredStudy.open(home, "mine").trials == whole


def test_curves_come_back(home):
    curve = StoredStudy.open(home, "mine").trial(1).curve
    assert {epoch: told[ROBUST] for epoch, told in curve.items()} == {1: 0.25, 2: 0.5}


def test_compare_shows_recipe_best_and_cost(capsys):
    _, out, _ = run(capsys, "compare", "mine", "mine", "--json")
    for entry in json.loads(out):
        assert entry["recipe"] == {ROBUST: 0.3}
        assert entry["best"] == {ROBUST: 0.5}
        assert entry["cost"] == {"cost/flops": 2e9}


def test_compare_at_equal_cost_counts_the_first_trials_only(capsys):
    for budget, ended, best in (
        ("flops=2e9", 1, 0.3),
        ("flops=5e9", 2, 0.5),
        ("seconds=1e9", 3, 0.5),
    ):
        _, out, _ = run(capsys, "compare", "mine", "--budget", budget, "--json")
        (entry,) = json.loads(out)
        assert (entry["ended"], entry["best"]) == (ended, {ROBUST: best})


@pytest.mark.parametrize("budget", ["passes", "passes=", "flops=-1", "hours=3", "flops=nan"])
def test_compare_refuses_a_budget_that_is_none(capsys, budget):
    code, _, err = run(capsys, "compare", "mine", "--budget", budget)
    assert code == 2
    assert "--budget is NAME=AMOUNT" in err


def test_compare_refuses_what_was_measured_unlike_unless_forced(home, capsys):
    with begin(home, "other", "evaluate.probe.attack.ball.epsilon=0.2") as other:
        tell(other, 0.2)
    with begin(home, "coarser", "trainer.precision=bfloat16") as coarser:
        tell(coarser, 0.2)
    with begin(home, "faster", "evaluate.probe.batch_size=7") as faster:
        tell(faster, 0.2)
    code, _, err = run(capsys, "compare", "mine", "other")
    assert code == 2
    assert "evaluate.probe.attack.ball.epsilon is 0.1 in the one and 0.2 in the other" in err
    code, _, err = run(capsys, "compare", "mine", "coarser")
    assert code == 2
    assert "trainer.precision is float32 in the one and bfloat16 in the other" in err
    assert run(capsys, "compare", "mine", "faster")[0] == 0
    code, out, _ = run(capsys, "compare", "mine", "other", "--force")
    assert code == 0
    assert "not measured alike" in out


def test_compare_says_that_the_images_changed_between_studies_also_where_forced(home, capsys):
    with begin(home, "later") as later:
        tell(later, 0.4)
    for name, images in (("mine", "before"), ("later", "after")):
        folder = StudyFolder(home / "studies" / name)
        cut = Cut(fingerprint=images, train=1079, val=359, test=359)
        folder.write_manifest(replace(folder.read_manifest(), images=cut))
    said = "were not measured alike: the images of data=digits changed between them"
    code, _, err = run(capsys, "compare", "mine", "later")
    assert (code, err.count(said)) == (2, 1), err
    code, out, _ = run(capsys, "compare", "mine", "later", "--force")
    assert (code, said in out) == (0, True)


def test_a_confirm_has_a_conclusion_and_no_best_trial(home, capsys):
    folder = create_study_folder(home, "swaro", "mine-confirm")
    folder.write_manifest(Manifest(kind="confirm", name="swaro"))
    assert "raystudy resume mine-confirm" in run(capsys, "best", "mine-confirm")[1]
    (folder.path / "confirm.json").write_text('{"conclusion": ["trial 3 beats it", "trial 1 not"]}')
    assert "trial 3 beats it; trial 1 not" in run(capsys, "best", "mine-confirm")[1]
    code, _, err = run(capsys, "compare", "mine", "mine-confirm")
    assert code == 2
    assert "mine-confirm is a confirm" in err


def test_diff_shows_what_differs_and_nothing_else(study, capsys):
    _, out, _ = run(capsys, "diff", "mine/0", "mine/1", "--json")
    told = json.loads(out)
    trials = [study.summaries()[number] for number in (0, 1)]
    assert set(told["settings"]) <= set(study.info.axes)
    assert told["measures"][ROBUST] == [trial.last[ROBUST] for trial in trials]


@pytest.mark.parametrize("run_name", ["mine", "mine/", "mine/x", "mine/7"])
def test_diff_refuses_what_is_no_trial(capsys, run_name):
    code, _, err = run(capsys, "diff", "mine/0", run_name)
    assert code == 2
    assert err.count("\n") == 1


def test_exports_agree(home, capsys):
    rows = list(csv.DictReader(io.StringIO(run(capsys, "export", "mine")[1])))
    assert [row["state"] for row in rows] == ["complete", "complete", "failed"]
    records = json.loads(run(capsys, "export", "mine", "--format", "json")[1])
    assert [record[ROBUST] for record in records] == [float(row[ROBUST]) for row in rows]
    target = home / "table.parquet"
    run(capsys, "export", "mine", "--format", "parquet", "--output", str(target))
    assert pd.read_parquet(target)[ROBUST].tolist() == [0.3, 0.5, 0.1]
    latex = run(capsys, "export", "mine", "--format", "latex")[1]
    assert r"val/robust\_accuracy" in latex
    assert "cost/flops" not in latex


def test_logs_show_print_and_traceback(home, capsys):
    folder = StudyFolder(home / "studies" / "mine").trial(2)
    folder.path.mkdir(parents=True)
    folder.log.write_text("hello from the worker\n")
    folder.error.write_text("Traceback: it broke\n")
    _, out, _ = run(capsys, "logs", "mine", "2")
    assert out == (
        "epoch   1/10  robust 0.05\nepoch   2/10  robust 0.1\n"
        "hello from the worker\nTraceback: it broke\ntrial 2 of mine failed after 2 epochs\n"
    )


FOLLOWER = """
import sys
from raystudy.cli import logs, main
logs.POLL_EVERY_S = 0.01
sys.exit(main.main(["logs", "other", "0", "-f"]))
"""


def test_logs_follow_a_trial_until_it_ends(home):
    study = begin(home, "other")
    trial = study.next_trial()
    folder = StudyFolder(home / "studies" / "other").trial(0)
    folder.path.mkdir(parents=True)
    with StudyFolder(home / "studies" / "other").locked(), study:
        follower = subprocess.Popen(
            [sys.executable, "-c", FOLLOWER], stdout=subprocess.PIPE, text=True
        )
        study.report(trial.number, 1, {ROBUST: 0.25, "train/loss": 2.0, "cost/flops": 1.0})
        assert follower.stdout.readline() == "epoch   1/10  robust 0.25  loss 2\n"
        folder.log.write_text("rank 0 says this\nrank 1 ")
        assert follower.stdout.readline() == "rank 0 says this\n"
        with folder.log.open("a") as log:
            log.write("says that\n")
        assert follower.stdout.readline() == "rank 1 says that\n"
        study.finish(trial.number, Outcome("completed"))
        assert "trial 0 of other is complete after 1 epoch\n" in follower.communicate()[0]
    assert follower.returncode == 0


def test_logs_of_a_trial_that_nobody_runs_say_how_to_go_on(home, capsys):
    with begin(home, "other") as other:
        other.next_trial()
        other.interrupted = True
    _, out, _ = run(capsys, "logs", "other", "0", "-f")
    state = "is interrupted (continue with 'raystudy resume other') after 0 epochs"
    assert out == f"trial 0 of other {state}\n"


def test_views_show_where_a_trial_runs_and_what_it_waits_for(home, capsys):
    study, folder = begin(home, "other"), StudyFolder(home / "studies" / "other")
    with folder.locked(), study:
        for host in ("worker-1", None):
            trial = study.next_trial()
            study.report(trial.number, 1, {ROBUST: 0.25})
            trial.folder.mkdir(parents=True)
            if host:
                folder.trial(trial.number).host.write_text(host)
        waiting.keep(folder.waiting, Waiting(since=0.0, words="1 GPU; ask me", trials=(1,)))
        _, out, _ = run(capsys, "status", "other")
        rows = [line.split()[:3] for line in out.splitlines()]
        assert rows[:3] == [
            ["trial", "state", "host"],
            ["0", "running", "worker-1"],
            ["1", "waiting", "-"],
        ]
        assert "trial 1 has been waiting since" in out
        assert "for 1 GPU; ask me" in out
        told = json.loads(run(capsys, "status", "other", "--json")[1])
        assert told["waiting"] == {"since": 0.0, "words": "1 GPU; ask me", "trials": [1]}
        assert [trial["host"] for trial in told["trials"]] == ["worker-1", None]
        assert "is running on worker-1 after" in run(capsys, "logs", "other", "0")[1]
        assert "for 1 GPU; ask me" in run(capsys, "logs", "other", "1")[1]
        (table,) = trial_table.section(StoredStudy(folder)).tables
        assert [row[1] for row in table.rows] == ["running", "waiting"]
        exported = run(capsys, "export", "other")[1].splitlines()
        assert [line.split(",")[4] for line in exported] == ["host", "worker-1", ""]
    _, out, _ = run(capsys, "status", "other")
    assert "waiting" not in out  # nobody runs it now


def test_a_study_that_runs_on_another_machine_says_where(home, capsys):
    lock = home / "studies" / "mine" / "lock"
    with StudyFolder(lock.parent).locked():
        kept = json.loads(lock.read_text())
        lock.write_text(json.dumps(kept | {"host": "head"}))
        assert "mine is running on head: " in run(capsys, "status", "mine")[1]


def test_rm_wants_to_be_sure(home, capsys):
    code, _, err = run(capsys, "rm", "mine")
    assert code == 2
    assert "add --yes" in err
    assert run(capsys, "rm", "mine", "--yes")[0] == 0
    assert not (home / "studies" / "mine").exists()


def test_pause_and_stop_reach_the_driver_and_rm_refuses_before(home, capsys):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home / "studies" / "mine")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    assert "mine is running" in run(capsys, "rm", "mine", "--yes")[2]
    assert json.loads(run(capsys, "status", "mine", "--json")[1])["state"] == "running"
    code, out, _ = run(capsys, "pause", "mine")
    assert code == 0
    assert "launches no more trials" in out
    assert holder.stdout.readline() == "paused\n"
    code, out, _ = run(capsys, "stop", "mine")
    assert code == 0
    assert "raystudy resume mine" in out
    assert holder.wait(PATIENCE_S) == 0
    assert "is not running" in run(capsys, "pause", "mine")[1]
    assert "is not running" in run(capsys, "stop", "mine")[1]


@pytest.mark.parametrize(
    "change", ["study.num_trials=3", "study.num_trials=+0", "study.num_trials=x"]
)
def test_extend_refuses_what_is_not_more(capsys, change):
    code, _, err = run(capsys, "extend", "mine", change)
    assert code == 2
    assert "study.num_trials must be above the 3 that mine has" in err


def test_a_study_is_known_by_the_same_overrides_while_it_runs_and_when_it_is_read(home):
    with begin(home, "pinned", "min_epochs=2", "study.num_trials=4", "seed=3") as study:
        tell(study, 0.5)
        running = study.info
    stored = StoredStudy(StudyFolder(home / "studies" / "pinned")).info
    assert stored.overrides == running.overrides
    assert stored.overrides[-1] == "seed=3"
    assert not any(text.startswith(("study.", "min_epochs")) for text in stored.overrides)
