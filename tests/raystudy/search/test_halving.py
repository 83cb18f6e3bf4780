"""Successive halving by several measures: definition, limits, agreement with Optuna's by one."""

import hypothesis.strategies as st
import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from optuna.pruners import SuccessiveHalvingPruner

from raystudy.search.halving import ParetoHalving, farthest_first, front

values = st.floats(-1, 1).map(lambda value: round(value, 1))  # with ties
points = st.integers(1, 3).flatmap(
    lambda measures: st.lists(
        st.lists(values, min_size=measures, max_size=measures), min_size=1, max_size=20
    )
)


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


def fronts_by_definition(all_points):
    """Indices by front: peel off what nothing left dominates."""
    left, peeled = list(range(len(all_points))), []
    while left:
        best = [i for i in left if not any(dominates(all_points[j], all_points[i]) for j in left)]
        peeled.append(best)
        left = [i for i in left if i not in best]
    return peeled


@given(points)
def test_the_front_is_what_nothing_dominates(all_points):
    found = front(np.array(all_points))
    assert np.flatnonzero(found).tolist() == fronts_by_definition(all_points)[0]


@given(points, st.integers(2, 4))
def test_whoever_goes_on_has_fewer_before_it_than_there_are_places(all_points, factor):
    own, *others = all_points
    places = max(1, len(all_points) // factor)
    peeled = fronts_by_definition(all_points)
    mine = next(index for index, one in enumerate(peeled) if 0 in one)
    before = sum(len(one) for one in peeled[:mine])
    goes_on = ParetoHalving(min_resource=1, reduction_factor=factor).goes_on(own, others)
    if before >= places:
        assert not goes_on
    elif before + len(peeled[mine]) <= places:
        assert goes_on


@given(points)
def test_a_spread_is_a_permutation_that_begins_with_the_best_by_the_first_measure(all_points):
    order = farthest_first(np.array(all_points))
    assert sorted(order) == list(range(len(all_points)))
    assert all_points[order[0]] == min(all_points)


def test_a_spread_takes_the_far_ends_first_then_the_middle():
    line = np.array([[0.0, 1.0], [0.1, 0.9], [0.5, 0.5], [0.9, 0.1], [1.0, 0.0]])
    assert farthest_first(line)[:3] == [0, 4, 2]


def test_measures_of_any_scale_spread_alike():
    line = np.array([[0.0, 1.0], [0.1, 0.9], [0.5, 0.5], [0.9, 0.1], [1.0, 0.0]])
    assert farthest_first(line * [1e6, 1e-6]) == farthest_first(line)


def test_the_first_to_come_to_a_rung_goes_on():
    assert ParetoHalving(min_resource=1).goes_on([0.3, 0.7], [])


def test_both_ends_of_a_front_go_on_but_not_its_crowd():
    ends, crowd = [[0.0, 1.0], [1.0, 0.0]], [[0.5 + i / 100, 0.5 - i / 100] for i in range(4)]
    halving = ParetoHalving(min_resource=1, reduction_factor=3)  # 6 points: 2 places
    for index, point in enumerate(ends + crowd):
        others = ends + crowd
        others.pop(index)
        assert halving.goes_on(point, others) == (index < 2)


def test_the_best_by_either_measure_goes_on_among_however_few():
    halving = ParetoHalving(min_resource=1, reduction_factor=3)
    assert halving.goes_on([1.0, 0.0], [[0.0, 1.0]])
    assert halving.goes_on([1.0, 0.0], [[0.0, 1.0], [0.5, 0.5]])
    assert not halving.goes_on([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]])
    assert not halving.goes_on([0.6, 0.6], [[0.5, 0.5]])


def test_a_measure_that_all_share_counts_for_nothing():
    halving = ParetoHalving(min_resource=1, reduction_factor=3)
    assert not halving.goes_on([0.6, 0.0], [[0.5, 0.0]])


def test_equals_share_a_place():
    halving = ParetoHalving(min_resource=1, reduction_factor=3)
    assert halving.goes_on([0.0, 0.0], [[0.0, 0.0], [1.0, 1.0]])
    assert not halving.goes_on([1.0, 1.0], [[0.0, 0.0], [0.0, 0.0]])


def test_rungs_lie_at_powers_of_the_factor():
    halving = ParetoHalving(min_resource=2, reduction_factor=3)
    assert [halving.epoch(rung) for rung in range(4)] == [2, 6, 18, 54]


@pytest.mark.parametrize("wrong", [{"min_resource": 0}, {"reduction_factor": 1}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="must be at least"):
        ParetoHalving(**{"min_resource": 1} | wrong)


@settings(max_examples=50, deadline=None)
@given(st.lists(values, min_size=1, max_size=30), st.integers(2, 4))
def test_by_one_measure_it_decides_as_optunas_own(told, factor):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = SuccessiveHalvingPruner(min_resource=1, reduction_factor=factor)
    study = optuna.create_study(direction="minimize", pruner=pruner)
    halving = ParetoHalving(min_resource=1, reduction_factor=factor)
    for number, value in enumerate(told):
        trial = study.ask()
        trial.report(value, 1)
        others = [[other] for other in told[:number]]
        assert trial.should_prune() == (not halving.goes_on([value], others))
