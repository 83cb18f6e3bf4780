"""What a study looks like in MLflow."""

import json
import math
from dataclasses import replace
from urllib.parse import unquote

import pytest
from mlflow_studies import ROBUST, again, summary, tell, trial
from surrogates import study_info

from raystudy.errors import UserError
from raystudy.storage import provenance
from raystudy.storage.manifest import Manifest
from raystudy.storage.spool import read
from raystudy.trackers.mlflow import MlflowTracker, pages, study_pages
from raystudy.trackers.mlflow.delivered import uid_of
from raystudy.trial.info import TrialSummary

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_study_is_a_run_with_a_child_per_trial(store, folder, study):
    tell(MlflowTracker(None), study, trials=3)
    store.sync(folder)
    runs = store.runs(folder)
    assert sorted(runs) == sorted([folder.id, "trial 0000", "trial 0001", "trial 0002"])
    parent = runs.pop(folder.id)
    assert "mlflow.parentRunId" not in parent.data.tags
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs.values()}
    assert parents == {parent.info.run_id}


def test_of_runs_on_several_seeds_none_is_called_best(store, folder, study):
    race = replace(study, axes={"finalist": "0, 3", "seed": "1, 2"})
    tell(MlflowTracker(None), race, trials=3)
    store.sync(folder)
    parent = store.runs(folder)[folder.id]
    assert "raystudy.best_trial" not in parent.data.tags
    assert not [name for name in parent.data.metrics if name.startswith("best/")]


def test_parameters_are_exactly_the_override_paths(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    overrides = ("data=digits", "+a.b='two words'", "attack.steps=3", "attack.steps=5", "seed=7")
    tracker.trial_started(trial(folder, 0, *overrides, "study.id=mine", "output_dir=/x"))
    store.sync(folder)
    run = store.runs(folder)["trial 0000"]
    expected = {"data": "digits", "a.b": "two words", "attack.steps": "5", "seed": "7"}
    assert run.data.params == expected
    assert run.data.tags["raystudy.seed"] == "7"


def test_metrics_have_the_epoch_as_step_and_the_time_of_their_event(store, folder, study):
    tell(MlflowTracker(None), study)
    told = [event["time"] for event, _ in read(folder.spool) if event["kind"] == "trial_reported"]
    store.sync(folder)
    run = store.runs(folder)["trial 0000"]
    assert store.history(run, ROBUST) == [(1, 0.5), (2, 0.4)]
    points = store.client.get_metric_history(run.info.run_id, ROBUST)
    assert sorted((point.step, point.timestamp) for point in points) == [(1, told[0]), (2, told[1])]


def test_plots_begin_with_the_objective_and_the_experiment_says_how_to_read_it(
    store, folder, study
):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_reported(0, 1, {"a": 1.0, "train/loss": 2.0, ROBUST: 0.5})
    store.sync(folder)
    run = store.runs(folder)["trial 0000"]
    assert next(iter(run.data.metrics)) == ROBUST
    experiment = store.client.get_experiment(run.info.experiment_id)
    assert "press +" in experiment.tags["mlflow.note.content"]


def test_no_tag_is_empty(store, folder, study):
    tell(MlflowTracker(None), study)
    store.sync(folder)
    for run in store.runs(folder).values():
        assert "" not in {n: v for n, v in run.data.tags.items() if n != "raystudy.reason"}.values()


def test_last_and_best_of_an_objective_are_measures_of_their_own(store, folder, study):
    tell(MlflowTracker(None), study)
    store.sync(folder)
    metrics = store.runs(folder)["trial 0000"].data.metrics
    assert metrics[f"last/{ROBUST}"] == 0.4
    assert metrics[f"best/{ROBUST}"] == 0.5


def test_values_that_are_not_finite_stay_so_and_lose_no_other(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_reported(0, 1, {"train/loss": math.nan, "norm": math.inf, ROBUST: 0.25})
    store.sync(folder)
    metrics = store.runs(folder)["trial 0000"].data.metrics
    assert math.isnan(metrics["train/loss"])
    assert metrics["norm"] > 1e308  # MLflow keeps the largest float for infinity
    assert metrics[ROBUST] == 0.25


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("complete", "FINISHED"),
        ("pruned", "FINISHED"),
        ("diverged", "FAILED"),
        ("collapsed", "FAILED"),
        ("failed", "FAILED"),
    ],
)
def test_a_final_state_is_a_status_and_a_tag(store, folder, study, state, status):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_finished(summary(state=state))
    store.sync(folder)
    run = store.runs(folder)["trial 0000"]
    assert (run.info.status, run.data.tags["raystudy.state"]) == (status, state)


def test_an_interrupted_study_is_killed_and_goes_on_in_the_same_runs(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_reported(0, 1, {ROBUST: 0.3})
    tracker.study_finished("interrupted")
    store.sync(folder)
    killed = store.runs(folder)
    assert {run.info.status for run in killed.values()} == {"KILLED"}

    tracker.study_started(again(study))
    tracker.trial_started(trial(folder, resumed=True))
    tracker.trial_reported(0, 1, {ROBUST: 0.9})  # a restart tells its checkpoint's epoch again
    tracker.trial_reported(0, 2, {ROBUST: 0.4})
    tracker.trial_finished(summary())
    tracker.study_finished("complete")
    store.sync(folder)
    runs = store.runs(folder)
    assert {n: r.info.run_id for n, r in runs.items()} == {
        n: r.info.run_id for n, r in killed.items()
    }
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert store.history(runs["trial 0000"], ROBUST) == [(1, 0.3), (2, 0.4)]
    assert runs["trial 0000"].data.tags["raystudy.resumed"] == "true"


def test_files_go_along_without_credentials(store, folder, study):
    there = folder.trial(0)
    there.path.mkdir(parents=True)
    there.config.write_text("tracker: {uri: 'http://me:hunter2@host:5000'}\n")
    there.best_weights.write_bytes(b"weights")
    there.error.write_text("Traceback: hunter2 is not in here")
    told = ("tracker.uri=http://me:hunter2@host",)
    folder.write_manifest(Manifest(kind="sweep", name="swaro", overrides=told))
    tell(MlflowTracker(None), study)
    store.sync(folder)
    runs = store.runs(folder)
    files = store.files(runs["trial 0000"])
    assert sorted(files) == ["best.safetensors", "config.yaml", "error.txt", "history.png"]
    assert files["config.yaml"] == b"tracker: {uri: 'http://***@host:5000'}\n"
    assert files["best.safetensors"] == b"weights"
    assert files["history.png"].startswith(PNG)
    manifest = store.files(runs[folder.id])["study.json"]
    assert b"hunter2" not in manifest
    tags = " ".join(value for run in runs.values() for value in run.data.tags.values())
    assert "hunter2" not in tags
    assert b"hunter2" not in folder.spool.read_bytes()


def test_the_studys_run_counts_its_trials_and_names_the_best(store, folder):
    study = study_info(folder.path, num_trials=4)
    tracker = MlflowTracker(None, params={"sampler": "tpe"})
    tracker.study_started(study)
    for number, (state, last) in enumerate(
        [("complete", 0.2), ("complete", 0.6), ("pruned", 0.9), ("complete", 0.4)]
    ):
        tracker.trial_started(trial(folder, number))
        tracker.trial_finished(summary(number, state, last))
    tracker.study_finished("complete")
    store.sync(folder)
    run = store.runs(folder)[folder.id]
    assert run.data.tags["raystudy.best_trial"] == "1"
    assert run.data.tags["raystudy.best_command"] == trial(folder, 1).command
    assert store.history(run, f"best/{ROBUST}") == [(1, 0.2), (2, 0.6), (3, 0.6), (4, 0.6)]
    assert run.data.metrics["trials/complete"] == 3
    assert run.data.metrics["trials/pruned"] == 1
    assert run.data.params == {"num_trials": "4", "sampler_seed": "0", "sampler": "tpe"}


def test_a_front_of_two_objectives_is_named_whole(store, folder):
    study = study_info(folder.path, objectives=("val/accuracy", ROBUST))
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    for number, (clean, robust) in enumerate([(0.9, 0.1), (0.5, 0.5), (0.4, 0.4)]):
        values = {"val/accuracy": clean, ROBUST: robust}
        tracker.trial_started(trial(folder, number))
        tracker.trial_finished(
            TrialSummary(number=number, state="complete", epoch=1, last=values, best=values)
        )
    store.sync(folder)
    tags = store.runs(folder)[folder.id].data.tags
    assert tags["raystudy.best_trials"] == "0,1"
    assert "raystudy.best_trial" not in tags


def test_trials_that_differ_in_their_seed_only_share_a_config_id(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    for number, overrides in enumerate(
        [("a=1", "b=2", "seed=1"), ("b=2", "seed=2", "a=1"), ("a=1", "b=3", "seed=1")]
    ):
        tracker.trial_started(trial(folder, number, *overrides))
    store.sync(folder)
    runs = store.runs(folder)
    ids = [runs[f"trial {n:04d}"].data.tags["raystudy.config_id"] for n in range(3)]
    assert ids[0] == ids[1] != ids[2]


def test_a_seed_nobody_chose_is_read_from_the_resolved_configuration(store, folder, study):
    folder.trial(0).path.mkdir(parents=True)
    folder.trial(0).config.write_text("data:\n  seed: 5\nseed: 3\nmax_epochs: 2\n")
    tell(MlflowTracker(None), study)
    store.sync(folder)
    assert store.runs(folder)["trial 0000"].data.tags["raystudy.seed"] == "3"


def test_a_single_trial_is_a_run_of_its_own(store, folder, study):
    tell(MlflowTracker(None, parent_run=False), study)
    store.sync(folder)
    runs = store.runs(folder)
    assert list(runs) == [folder.id]
    assert "mlflow.parentRunId" not in runs[folder.id].data.tags
    assert runs[folder.id].info.status == "FINISHED"


def test_where_results_come_from_is_tagged(store, folder, study):
    tell(MlflowTracker(None), study)
    store.sync(folder)
    for run in store.runs(folder).values():
        tags = run.data.tags
        assert tags["raystudy.command"].startswith("raystudy ")
        assert tags["mlflow.user"] == provenance.user()
        assert '"mlflow": ' in tags["raystudy.versions"]
        assert tags["mlflow.source.name"] == tags["raystudy.command"]


def test_more_than_a_batch_and_longer_than_a_parameter_may_be(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    many = [f"knob.k{i}={i}" for i in range(130)]
    tracker.trial_started(trial(folder, 0, *many, "long=" + 7000 * "x"))
    tracker.trial_reported(0, 1, {f"m/{i}": float(i) for i in range(1100)})
    store.sync(folder)
    run = store.runs(folder)["trial 0000"]
    assert len(run.data.params) == 131
    assert len(run.data.params["long"]) == 6000
    assert len(run.data.metrics) == 1100


def experiment_of_all(store):
    return store.client.get_experiment_by_name("raystudy/surrogate/none")


def view_of(store, folder):
    key = f"{pages.VIEW}{uid_of(folder)}"
    return json.loads(experiment_of_all(store).tags[key])


def test_the_page_of_a_study_has_its_trials_best_first_and_few_columns(store, folder, study):
    wide = replace(study, axes={f"a.b{number}": "0 to 1" for number in range(30)})
    tell(MlflowTracker(None), wide, trials=3)
    store.sync(folder)
    view = view_of(store, folder)
    state = json.loads(view["state"])
    number = experiment_of_all(store).experiment_id
    found = store.client.search_runs([number], state["searchFilter"])
    assert view["name"] == folder.id
    assert {run.info.run_name for run in found} == {"trial 0000", "trial 0001", "trial 0002"}
    assert (state["orderByKey"], state["orderByAsc"]) == (f"metrics.`last/{ROBUST}`", False)
    assert len(state["selectedColumns"]) == 3 + pages.MAX_SETTINGS
    address = study_pages.of(folder, store.uri)[f"trials of {folder.id}"]
    assert f"viewStateShareKey={uid_of(folder)}&" in address


def test_the_best_trials_are_compared_in_their_order(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    for number, value in enumerate((0.2, 0.9, 0.5)):
        tracker.trial_started(trial(folder, number))
        tracker.trial_finished(summary(number, last=value))
    store.sync(folder)
    runs = store.runs(folder)
    ids = [runs[f"trial {number:04d}"].info.run_id for number in (1, 2, 0)]
    address = unquote(study_pages.of(folder, store.uri)["its best trials"])
    assert f"runs={json.dumps(ids, separators=(',', ':'))}&" in address


def test_what_an_earlier_version_delivered_gets_its_page_by_sync(store, folder, study):
    tell(MlflowTracker(None), study, trials=2)
    store.sync(folder)
    path = folder.path / "mlflow.delivered"
    notes = json.loads(path.read_text())
    for note in notes.values():
        del note["experiment"]
    path.write_text(json.dumps(notes))
    with pytest.raises(UserError, match=f"no page of {folder.id} yet; .*sync.* delivers it"):
        study_pages.of(folder, store.uri)
    assert store.sync(folder).delivered == 0
    assert len(study_pages.of(folder, store.uri)) == 3
