"""Staircases by hand."""

import numpy as np
import pytest

from reincarnate.leaderboard.curves import area, at, cost_to_reach, scale_fault

SPENT, SCORES = np.array([10.0, 20.0, 40.0]), np.array([0.5, 1.0, 0.8])


def test_a_student_stays_what_it_was_at_its_last_evaluation():
    assert list(at(SPENT, SCORES, np.array([0.0, 9.0, 10.0, 19.0, 20.0, 40.0, 1e9]))) == [
        0.0, 0.0, 0.5, 0.5, 1.0, 0.8, 0.8,
    ]  # fmt: skip
    assert list(at(SPENT, SCORES, np.array([1.0]), before=-0.25)) == [-0.25]
    assert list(at(np.array([0.0, 5.0]), np.array([0.7, 0.9]), np.array([0.0]))) == [0.7]  # offline work costs no frame


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (40.0, (10 * 0.5 + 20 * 1.0) / 40),
        (80.0, (10 * 0.5 + 20 * 1.0 + 40 * 0.8) / 80),  # a run that stopped early is carried on
        (15.0, 5 * 0.5 / 15),
        (5.0, 0.0),
    ],
)
def test_area(limit, expected):
    assert area(SPENT, SCORES, limit) == pytest.approx(expected)


def test_an_area_needs_a_budget():
    with pytest.raises(ValueError, match="above zero"):
        area(SPENT, SCORES, 0.0)


def test_cost_to_reach():
    assert cost_to_reach(SPENT, SCORES) == 20.0
    assert cost_to_reach(SPENT, SCORES, 0.5) == 10.0
    assert cost_to_reach(SPENT, SCORES, 1.01) == np.inf


@pytest.mark.parametrize(
    ("random", "teacher", "fault"),
    [
        ([0.0, 2.0], [10.0, 12.0], ""),
        ([0.0, 2.0], [1.0, 3.0], "small"),  # 1 better, with a standard error of 1.4
        ([0.0, 2.0], [0.0, 2.0], "small"),
        ([0.0, 2.0], [-1.0, 0.0], "negative"),
        ([5.0], [6.0], ""),
        ([5.0], [5.0], "small"),
    ],
)
def test_a_teacher_hardly_better_than_random_play_is_flagged(random, teacher, fault):
    assert scale_fault(np.array(random), np.array(teacher)) == fault
