"""The front by its definition, and what it costs where many trials tie."""

import hypothesis.strategies as st
from hypothesis import given

from raystudy.config.spec import Objective
from raystudy.search import pareto
from raystudy.trial.info import TrialSummary

METRICS = ("val/a", "val/b")
values = st.sampled_from([0.1, 0.2, 0.3])  # with ties


def summaries(rows):
    return [
        TrialSummary(
            number=number, state="complete", epoch=1, last=dict(zip(METRICS, row, strict=False))
        )
        for number, row in enumerate(rows)
    ]


@given(st.lists(st.tuples(values, values), max_size=20))
def test_the_front_is_what_no_trial_dominates_and_its_ties(rows):
    objectives = [
        Objective(metric="val/a"),
        Objective(metric="val/b", direction="minimize", worst=1.0),
    ]
    by_definition = [
        number
        for number, (a, b) in enumerate(rows)
        if not any(x >= a and y <= b and (x, y) != (a, b) for x, y in rows)
    ]
    assert [one.number for one in pareto.front(summaries(rows), objectives)] == by_definition


class Counting(Objective):
    """Counts comparisons."""

    comparisons = 0

    def is_better(self, value, than):
        type(self).comparisons += 1
        return super().is_better(value, than)


def test_trials_that_tie_are_not_compared_with_each_other():
    trials = summaries([(value,) for value in (0.25, 0.5) * 500])
    assert len(pareto.front(trials, [Counting(metric="val/a")])) == 500
    assert Counting.comparisons < len(trials)
