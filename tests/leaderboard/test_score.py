"""Scores by hand-worked arrays."""

import numpy as np
import pytest

from reincarnate.leaderboard.score import (
    above,
    improvement,
    interval,
    iqm,
    mean,
    median,
    normalise,
    optimality_gap,
    profile,
)


@pytest.mark.parametrize(
    ("returns", "random", "teacher", "expected"),
    [
        (5.0, 0.0, 10.0, 0.5),
        (-10.0, -20.0, 20.0, 0.25),
        (-20.7, -20.7, 14.0, 0.0),
        (14.0, -20.7, 14.0, 1.0),
        (48.7, -20.7, 14.0, 2.0),
        (-55.4, -20.7, 14.0, -1.0),  # worse than random play
        (1.0, 2.0, 0.0, 0.5),  # the teacher is worse than random play: the scale is turned round
        (3.0, 2.0, 0.0, -0.5),
        ([0.0, 5.0, 10.0], 0.0, 10.0, [0.0, 0.5, 1.0]),
    ],
)
def test_normalise(returns, random, teacher, expected):
    assert normalise(returns, random, teacher) == pytest.approx(expected, abs=1e-7)


def test_a_teacher_equal_to_random_play_gives_no_division_by_zero():
    assert normalise(3.0, 3.0, 3.0) == 0.0
    assert np.isfinite(normalise(4.0, 3.0, 3.0))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1.0, 2.0, 3.0, 100.0], 2.5),
        ([[-100.0, 4.0], [2.0, 900.0]], 3.0),  # over runs and tasks together
        ([7.0], 7.0),
        ([1.0, 2.0, 9.0], 4.0),  # too few to cut
        ([5.0, 1.0, 2.0, 3.0, 4.0, 8.0, 7.0, 6.0], 4.5),
        ([0.0, 1.0, 2.0, 3.0, 50.0], 2.0),  # a quarter of five is one
    ],
)
def test_iqm(scores, expected):
    assert iqm(np.array(scores)) == expected
    assert iqm(-np.array(scores)) == -expected


def test_aggregates_by_hand():
    scores = np.array([[0.0, 2.0, 0.5], [1.0, 4.0, 1.5]])  # task means 0.5, 3, 1
    assert mean(scores) == 1.5 and median(scores) == 1.0
    assert optimality_gap(scores) == pytest.approx(1.0 - (0.5 + 1.0 + 0.75) / 3)
    assert optimality_gap(scores, goal=4.0) == 2.5
    assert above(scores) == pytest.approx((0.0 + 1.0 + 0.5) / 3)  # to equal the teacher is not to beat it
    assert list(profile(scores, np.array([-1.0, 0.0, 1.0, 2.0, 9.0]))) == [1.0, 5 / 6, 0.5, 1 / 6, 0.0]


def test_a_run_that_a_task_lacks_is_left_out_and_its_task_weighs_no_less():
    scores = np.array([[0.0, 4.0], [1.0, np.nan]])
    assert mean(scores) == 2.25 and iqm(scores) == pytest.approx(5 / 3)
    with pytest.raises(ValueError, match="a task has no runs"):
        mean(np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="there are no scores"):
        iqm(np.array([np.nan]))


def test_probability_of_improvement_by_hand():
    ours, theirs = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 5.0], [0.0, 6.0], [1.0, 7.0]])
    first = (0 + 1 + 0.5 + 1 + 1 + 1) / 6  # ties count half
    assert improvement(ours, theirs) == pytest.approx((first + 2 * 0.5 / 6) / 2)
    assert improvement(ours, theirs) + improvement(theirs, ours) == pytest.approx(1.0)
    assert improvement(ours, ours) == 0.5


def test_the_interval_is_the_same_twice_and_another_for_another_seed():
    scores = np.random.default_rng(0).normal(size=(10, 3))
    assert interval(scores) == interval(scores) != interval(scores, seed=1)
    assert interval(scores, iqm) == interval(scores, iqm) != interval(scores)


def test_the_interval_of_two_values_by_hand():
    """Two runs resampled: 0, 0.5 or 1 with chances 1/4, 1/2, 1/4."""
    assert interval(np.array([0.0, 1.0])) == (0.0, 1.0)
    assert interval(np.array([0.0, 1.0]), level=0.4) == (0.5, 0.5)
    assert interval(np.full(5, 3.0)) == (3.0, 3.0)


def test_the_interval_of_many_is_the_normal_one():
    """For the mean of 400 values of spread 1, it is 1.96 / 20 to either side."""
    scores = np.random.default_rng(0).normal(size=400)
    scores = (scores - scores.mean()) / scores.std()
    low, high = interval(scores)
    assert low == pytest.approx(-0.098, abs=0.008) and high == pytest.approx(0.098, abs=0.008)


def test_runs_are_resampled_within_each_task():
    """Tasks that differ by 100 widen nothing: every resample has as many runs of each."""
    scores = np.array([[0.0, 100.0], [1.0, 101.0]])
    low, high = interval(scores)
    assert (low, high) == (50.0, 51.0)
    values = set()

    def keep(resampled):
        assert resampled.shape == (2, 2)
        assert set(resampled[:, 0]) <= {0.0, 1.0} and set(resampled[:, 1]) <= {100.0, 101.0}
        values.add(tuple(resampled.ravel()))
        return mean(resampled)

    interval(scores, keep)
    assert len(values) == 16  # and the tasks are drawn independently of one another
