"""Intervals against rliable's, and against what can be worked out by hand.

The golden numbers are from rliable 1.2.0 (numpy 2.2.6, pandas 2.3.3), 50,000 resamples; its resamples differ
from call to call, since it ignores its `random_state`, so its intervals are known to about 0.005 only.
"""

import itertools

import numpy as np
import pytest

from reincarnate.leaderboard import bootstrap, score

RESAMPLES = 50_000
ONE = np.array([[0.1, 0.5, 1.2], [0.3, 0.7, 0.9], [0.2, 1.1, 1.6], [0.0, 0.4, 1.0], [0.6, 0.9, 2.2]])
OTHER = np.array([[0.2, 0.5, 0.2], [0.1, 0.9, 0.8], [0.25, 1.0, 1.1], [0.4, 0.3, 0.7], [0.1, 0.2, 1.9]])
THIRD = np.round(np.random.default_rng(7).gamma(2, 0.5, size=(5, 10)), 3)
RLIABLE = {  # value, low, high
    "one": {
        "iqm": (0.7111111111111111, 0.5667, 0.8778),
        "mean": (0.78, 0.62, 0.9533),
        "median": (0.72, 0.5, 0.94),
        "optimality_gap": (0.36, 0.2667, 0.4467),
    },
    "other": {
        "iqm": (0.4722222222222222, 0.2889, 0.6889),
        "mean": (0.5766666666666667, 0.3933, 0.7733),
        "median": (0.58, 0.3, 0.84),
        "optimality_gap": (0.49, 0.3634, 0.6233),
    },
    "third": {
        "iqm": (0.7521923076923076, 0.6228, 0.9005),
        "mean": (0.83706, 0.7012, 0.9847),
        "median": (0.8487, 0.6278, 1.0228),
        "optimality_gap": (0.3183, 0.2448, 0.3944),
    },
}


@pytest.mark.parametrize(("name", "scores"), [("one", ONE), ("other", OTHER), ("third", THIRD)])
def test_aggregates_are_rliables(name, scores):
    found = bootstrap.estimates(scores, RESAMPLES)
    for statistic, (value, low, high) in RLIABLE[name].items():
        assert found[statistic].value == pytest.approx(value, abs=1e-12)
        assert found[statistic].low == pytest.approx(low, abs=0.007)
        assert found[statistic].high == pytest.approx(high, abs=0.007)


def test_the_probability_of_improvement_is_rliables():
    found = bootstrap.improvement(ONE, OTHER, RESAMPLES)
    assert found.value == pytest.approx(0.6333333333333333, abs=1e-12)
    assert found.low == pytest.approx(0.4267, abs=0.01) and found.high == pytest.approx(0.8335, abs=0.01)


def test_the_performance_profile_is_rliables():
    value, low, high = bootstrap.profile(ONE, np.array([0.0, 0.25, 0.5, 1.0, 1.5]), 20_000)
    assert value == pytest.approx([14 / 15, 0.8, 0.6, 4 / 15, 2 / 15])
    assert low == pytest.approx([0.8, 2 / 3, 0.4, 1 / 15, 0.0])
    assert high == pytest.approx([1.0, 14 / 15, 0.8, 7 / 15, 4 / 15])


def test_the_same_call_gives_the_same_interval_and_another_seed_another():
    first = bootstrap.estimates(THIRD, 1000)
    bootstrap.counts.cache_clear()
    assert bootstrap.estimates(THIRD, 1000) == first != bootstrap.estimates(THIRD, 1000, seed=1)


def test_every_resample_has_as_many_runs_of_each_task():
    drawn = bootstrap.counts((2, 5, 1), 1000, 0)
    assert drawn.shape == (8, 1000)
    assert (drawn[:2].sum(axis=0) == 2).all() and (drawn[2:7].sum(axis=0) == 5).all() and (drawn[7] == 1).all()
    assert drawn[:7].mean(axis=1) == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize(
    "values", [[3.0], [1.0, 2.0], [4.0, 1.0, 9.0], [1.0, 2.0, 3.0, 50.0], [5.0, 5.0, 1.0, 0.0, 2.0]]
)
def test_the_iqm_by_counts_is_the_iqm_of_the_resample(values):
    """All resamples of up to five runs, each worked out the plain way."""
    n = len(values)
    picks = np.array(list(itertools.product(range(n), repeat=n)))
    drawn = np.array([(picks == run).sum(axis=1) for run in range(n)], np.uint8)
    plain = [score.iqm(np.array(values)[pick]) for pick in picks]
    assert bootstrap.iqms(drawn, np.array(values)) == pytest.approx(plain)


def test_more_runs_than_a_byte_can_count():
    scores = np.random.default_rng(0).normal(size=(300, 1))
    fast, plain = bootstrap.estimates(scores, 2000)["iqm"], score.interval(scores, score.iqm, 2000)
    assert fast[1:] == pytest.approx(plain, abs=0.02)


def test_tasks_may_have_different_numbers_of_runs():
    """Two runs of one task and one of another: the mean is over tasks, the interval from the first task alone."""
    found = bootstrap.estimates(np.array([[0.0, 4.0], [1.0, np.nan]]), 2000)
    assert found["mean"] == (2.25, 2.0, 2.5)
    assert found["median"] == (2.25, 2.0, 2.5)
    assert found["above"] == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="a task has no runs"):
        bootstrap.estimates(np.array([[0.0, np.nan], [1.0, np.nan]]))


def test_a_run_stays_whole_along_its_curve():
    """Two runs that cross: resampled point by point the sum of both points would vary, resampled whole it cannot."""
    scores = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    value, low, high = bootstrap.curve(scores)
    assert (list(value), list(low), list(high)) == ([0.5, 0.5], [0.0, 0.0], [1.0, 1.0])
    drawn = bootstrap.counts((2,), 2000, 0)
    both = np.sum([bootstrap.iqms(drawn, scores[:, 0, point]) for point in (0, 1)], axis=0)
    assert set(both) == {1.0}


def test_a_curve_is_the_iqm_at_each_of_its_points():
    scores = np.random.default_rng(0).normal(size=(4, 3, 5))
    value, low, high = bootstrap.curve(scores, 500)
    for point in range(5):
        assert bootstrap.estimates(scores[:, :, point], 500)["iqm"] == (value[point], low[point], high[point])


def test_the_cost_of_reaching_the_teacher_counts_misses():
    miss = np.inf
    found, misses = bootstrap.cost(np.array([[10.0], [20.0], [miss]]), 2000)
    assert found.value == 20.0 and found.low == 10.0 and found.high == miss and misses == pytest.approx(1 / 3)
    assert bootstrap.cost(np.array([[miss], [miss]]), 100) == ((miss, miss, miss), 1.0)
