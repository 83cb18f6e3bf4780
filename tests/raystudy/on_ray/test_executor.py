"""Studies of surrogates on a real local Ray."""

from pathlib import Path

import pytest
import ray
from ray_trials import COLLAPSE, EPOCHS, curve, mixed
from surrogate_study import Events, as_optuna_sees_it, open_study

from raystudy.config.scaling import Scaling
from raystudy.errors import StudyStalledError, UserError
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.executor import RayExecutor

pytestmark = pytest.mark.ray
TWO_CPUS = Scaling(num_cpus=2, object_store_mb=80)


ROOT = Path(__file__).parents[3]
IMPORTABLE = f"{ROOT}:{ROOT / 'tests' / 'support'}"  # what Ray's processes must find


@pytest.fixture(scope="module")
def one_ray():
    """Start Ray once for the studies of this file; the executor takes what is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", IMPORTABLE)
        with connected(TWO_CPUS):
            yield


def run(folder, trial=curve, scaling=TWO_CPUS, *, name=None, **settings):
    """Run a study on Ray; return it closed, with the events its tracker heard."""
    events = Events()
    with open_study(folder, trackers=[events], **settings) as study:
        if name is not None:
            object.__setattr__(study.info, "name", name)
        RayExecutor(scaling, trial).run(study)
    return study, events


def states(study):
    return {summary.number: summary.state for summary in study.summaries()}


@pytest.mark.usefixtures("one_ray")
def test_trials_that_fail_diverge_or_collapse_end_alone_and_bad_ones_are_pruned(tmp_path):
    study, _ = run(tmp_path / "s", mixed, name="mixed", num_trials=5, trial_scheduler="asha")
    ends = {0: "complete", 1: "failed", 2: "diverged", 3: "pruned", 4: "collapsed"}
    assert states(study) == ends
    failed, diverged, pruned, collapsed = study.summaries()[1:]
    assert failed.reason == "ValueError: bad luck"
    assert "ValueError: bad" in (tmp_path / "s/trials/0001/error.txt").read_text()
    assert (diverged.epoch, pruned.epoch) == (1, 2)
    assert (collapsed.epoch, collapsed.reason) == (1, COLLAPSE)
    assert [path.parent.name for path in tmp_path.glob("s/trials/*/error.txt")] == ["0001"]
    told = as_optuna_sees_it(tmp_path / "s").trials
    names = [trial.state.name for trial in told]
    assert names == ["COMPLETE", "FAIL", "COMPLETE", "PRUNED", "COMPLETE"]
    logs = [path.read_text() for path in sorted(tmp_path.glob("s/trials/*/log.txt"))]
    assert logs[0].count("epoch") == EPOCHS
    assert len({log.split()[-1] for log in logs if log}) <= 2  # one process serves several
    assert not (tmp_path / "s" / "ray").exists()


@pytest.mark.usefixtures("one_ray")
def test_a_killed_process_costs_no_epoch_and_one_that_always_dies_fails(tmp_path):
    study, events = run(tmp_path / "s", name="killed", num_trials=3, spec={"max_failures": 1})
    assert states(study) == {0: "complete", 1: "complete", 2: "failed"}
    epochs = [epoch for number, epoch in events.of("trial_reported") if number == 1]
    assert epochs == list(range(1, EPOCHS + 1))
    assert "died twice" in study.summaries()[2].reason


@pytest.mark.usefixtures("one_ray")
def test_a_study_that_a_full_disk_ends_and_one_interrupts_loses_no_epoch(tmp_path):
    class InterruptAt(Events):
        def trial_reported(self, study_number, epoch, metrics):
            super().trial_reported(study_number, epoch, metrics)
            study.interrupted |= (study_number, epoch) == (2, 3)

    first, second = Events(), InterruptAt()
    with open_study(tmp_path / "s", trackers=[first], num_trials=2) as study:
        object.__setattr__(study.info, "name", "disk_full_in_1")
        with pytest.raises(StudyStalledError, match=r"No space left .*raystudy resume s"):
            RayExecutor(TWO_CPUS, curve).run(study)
    assert 1 not in states(study)
    assert not (tmp_path / "s/trials/0001/error.txt").exists()
    assert not (tmp_path / "s/ray").exists()
    with open_study(tmp_path / "s", trackers=[second], num_trials=4) as study:
        RayExecutor(TWO_CPUS, curve).run(study)
    assert not study.is_finished
    assert 2 not in states(study)
    resumed, third = run(tmp_path / "s", num_trials=4)
    assert states(resumed) == dict.fromkeys(range(4), "complete")
    assert third.of("trial_started")[0] <= (2,)
    reports = [
        report for events in (first, second, third) for report in events.of("trial_reported")
    ]
    assert sorted(reports) == [(n, e) for n in range(4) for e in range(1, EPOCHS + 1)]


@pytest.mark.usefixtures("one_ray")
def test_what_this_machine_never_has_is_said_before_anything_starts(tmp_path):
    with pytest.raises(UserError, match="can never hold"):
        run(tmp_path / "s", scaling=Scaling(cpus_per_worker=3))
    assert not list(tmp_path.glob("s/trials/*"))


@pytest.mark.usefixtures("one_ray")
def test_a_study_in_which_nothing_can_move_ends_loudly(tmp_path):
    @ray.remote(num_cpus=2)
    class Holder:
        def ready(self):
            return True

    holder = Holder.remote()
    assert ray.get(holder.ready.remote())
    with open_study(tmp_path / "s", num_trials=1) as study:
        object.__setattr__(study.info.spec, "stall_minutes", 0.05)
        with pytest.raises(StudyStalledError, match="in use: 2 of 2 CPU"):
            RayExecutor(TWO_CPUS, curve).run(study)
    ray.kill(holder)
