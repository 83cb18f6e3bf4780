"""Properties of studies under any mix of behaviours, workers, interruptions and torn journals."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from optuna.trial import TrialState
from surrogate_study import Events, as_optuna_sees_it, run_study, told
from surrogates import CLEAN, ROBUST, Behaviour, Surrogate

from raystudy.config.constraint import Constraint

NUM_TRIALS = 7
KINDS = ["healthy", "nan", "collapse", "missing", "crash"]
FATES = {
    "complete": TrialState.COMPLETE,
    "diverged": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
POSSIBLE = {
    "healthy": {"complete", "pruned"},
    "collapse": {"complete", "pruned"},
    "nan": {"diverged", "pruned"},
    "missing": {"failed"},
    "crash": {"failed", "pruned"},
}

behaviours = st.lists(
    st.builds(Behaviour, st.sampled_from(KINDS), st.integers(1, 8)),
    min_size=NUM_TRIALS,
    max_size=NUM_TRIALS,
)
searches = st.sampled_from(
    [
        {"objectives": (ROBUST,), "trial_scheduler": "asha"},
        {"objectives": (ROBUST,), "trial_scheduler": "median"},
        {"objectives": (CLEAN, ROBUST), "trial_scheduler": "none", "sampler": "tpe"},
        {"objectives": (CLEAN, ROBUST), "trial_scheduler": "asha", "sampler": "nsga2"},
        {
            "objectives": (CLEAN,),
            "spec": {"constraints": (Constraint(ROBUST, ">=", 0.3),)},
            "trial_scheduler": "asha",
            "sampler": "tpe",
        },
    ]
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Hand out new folders within one test: hypothesis calls it many times."""
    return lambda: tmp_path_factory.mktemp("studies") / "s"


def surrogate_of(fates):
    return Surrogate(noise=0.02, behaviour=lambda trial: fates[trial.number])


@settings(max_examples=20)
@given(
    fates=behaviours,
    search=searches,
    workers=st.integers(1, 4),
    stops=st.lists(st.integers(1, 40), max_size=4),
)
def test_every_trial_ends_in_exactly_one_state_however_often_interrupted(
    folders, fates, search, workers, stops
):
    folder, events = folders(), Events()
    study = None
    for max_events in [*stops, None]:
        study = run_study(
            folder,
            surrogate_of(fates),
            workers=workers,
            max_events=max_events,
            num_trials=NUM_TRIALS,
            trackers=[events],
            **search,
        )
    assert study.is_finished
    ended = {summary.number: summary.state for summary in study.summaries()}
    assert list(ended) == list(range(NUM_TRIALS)) or study.ended_early
    finished = events.of("trial_finished")
    assert Counter(number for number, _ in finished) == Counter(list(ended))
    assert dict(finished) == ended
    for number, state in ended.items():
        assert state in POSSIBLE[fates[number].kind]
    seen = [trial.state for trial in as_optuna_sees_it(folder).trials]
    assert seen == [FATES[state] for state in ended.values()]


@settings(max_examples=15)
@given(
    fates=behaviours, search=searches, stops=st.lists(st.integers(1, 60), min_size=1, max_size=3)
)
def test_one_worker_interrupted_anywhere_equals_one_never_interrupted(
    folders, fates, search, stops
):
    fates = [Behaviour(), *fates[1:]]  # a study whose first trials all fail ends, resumed or not
    surrogate, folder = surrogate_of(fates), folders()
    straight = run_study(folders(), surrogate, num_trials=NUM_TRIALS, **search)
    for max_events in [*stops, None]:
        study = run_study(folder, surrogate, max_events=max_events, num_trials=NUM_TRIALS, **search)
    assert repr(told(study.summaries())) == repr(told(straight.summaries()))


@settings(max_examples=15)
@given(fates=behaviours, torn_at=st.floats(0, 1))
def test_a_journal_torn_at_any_byte_is_gone_on_with(folders, fates, torn_at):
    fates = [Behaviour(), *fates[1:]]
    surrogate, whole, torn = surrogate_of(fates), folders(), folders()
    straight = run_study(whole, surrogate, num_trials=NUM_TRIALS, sampler="tpe")
    content = (whole / "journal.log").read_bytes()
    torn.mkdir()
    (torn / "journal.log").write_bytes(content[: int(torn_at * len(content))])
    study = run_study(torn, surrogate, num_trials=NUM_TRIALS, sampler="tpe")
    assert repr(told(study.summaries())) == repr(told(straight.summaries()))


def test_the_journal_of_hundreds_of_trials_takes_five_kilobytes_each(folders):
    folder = folders()
    study = run_study(folder, Surrogate(epochs=3), workers=8, num_trials=300)
    assert Counter(s.state for s in study.summaries()) == {"complete": 300}
    assert (folder / "journal.log").stat().st_size < 300 * 5e3
