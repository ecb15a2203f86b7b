"""Staircases by hand."""

from typing import Any

import numpy as np
import pytest

from reincarnate.leaderboard.curves import area, at, cost_to_reach, limit, planned, sampled, scale_fault, score_at

from .makers import record

SPENT, SCORES = np.array([10.0, 20.0, 40.0]), np.array([0.5, 1.0, 0.8])


def test_a_student_stays_what_it_was_at_its_last_evaluation():
    assert list(at(SPENT, SCORES, np.array([0.0, 9.0, 10.0, 19.0, 20.0, 40.0, 1e9]))) == [
        0.0, 0.0, 0.5, 0.5, 1.0, 0.8, 0.8,
    ]  # fmt: skip
    assert list(at(SPENT, SCORES, np.array([1.0]), before=-0.25)) == [-0.25]
    assert list(at(np.array([0.0, 5.0]), np.array([0.7, 0.9]), np.array([0.0]))) == [0.7]  # offline work costs no frame


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (40.0, (10 * 0.5 + 20 * 1.0) / 40),
        (80.0, (10 * 0.5 + 20 * 1.0 + 40 * 0.8) / 80),  # a run that stopped early is carried on
        (15.0, 5 * 0.5 / 15),
        (5.0, 0.0),
    ],
)
def test_area(until, expected):
    assert area(SPENT, SCORES, until) == pytest.approx(expected)


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


# 50,000 steps with 8 environments: 12,500 is not a multiple of 8, so its student comes at 12,504 steps.
REACHED, SHARES = (0, 5000, 12504, 25000, 50000), (0.0, 0.1, 0.25, 0.5, 1.0)
SEEN = (0.763, 0.763, 0.86, 0.913, 0.789)


def late(due=None, **fields):
    return record("late", points=[(steps, steps // 4) for steps in REACHED], due=due, **fields)


@pytest.mark.parametrize("due", [(0, 5000, 12500, 25000, None), None], ids=["dated", "schema 1"])
@pytest.mark.parametrize(("axis", "skip"), [("steps", 1), ("frames", 4)])
def test_an_evaluation_counts_from_the_budget_that_it_was_planned_for(due, axis, skip):
    one = late(due)
    budgets = [share * 50_000 * skip for share in SHARES]
    assert list(score_at(one, SEEN, budgets, axis)) == list(SEEN)
    assert list(score_at(one, SEEN, [12_400 * skip, 24_000 * skip, 1e9], axis)) == [0.763, 0.86, 0.789]
    assert list(score_at(one, SEEN, [one.points[2].spent["flops"] - 1], "flops")) == [0.763]  # there nothing is planned


def test_what_was_planned_is_exact_and_what_is_guessed_is_no_later_student():
    assert list(planned(late((0, 5000, 12500, 25000, None)))) == [0, 5000, 12500, 25000, 50000]
    assert list(planned(late())) == list(REACHED)
    assert list(score_at(late((0, 5000, 12500, 25000, None)), SEEN, [12_499.0])) == [0.763]
    assert list(score_at(late(), SEEN, [12_496.0, 10_000.0])) == [0.763, 0.763]  # never one that 8 steps cannot explain
    one = record("later", points=((100, 1), (200, 2)), due=(100, None))
    assert np.isnan(score_at(one, [1.0, 2.0], [50.0], before=np.nan)[0])


def test_who_says_to_have_stepped_many_environments_gains_no_samples():
    """100 steps were planned, 600 taken: 2 % of 1,000 steps are allowed, not the rest of a step of 1,024."""
    one = record("many", points=((600, 150), (1000, 250)), due=(100, None), environments=1024)
    assert list(planned(one)) == [600, 1000] and list(score_at(one, [0.9, 1.0], [100.0, 600.0])) == [0.0, 0.9]
    near = record("near", points=((120, 30), (1000, 250)), due=(100, None), environments=1024)
    assert list(planned(near)) == [100, 1000] and list(score_at(near, [0.9, 1.0], [100.0])) == [0.9]
    old = record("old", points=((600, 150), (1000, 250)), environments=1024)
    assert list(score_at(old, [0.9, 1.0], [100.0, 580.0])) == [0.0, 0.9]


def test_the_budget_of_a_run_along_each_axis():
    one = late(budget={"frames": 400_000.0, "flops": 1e9})
    assert [limit(one, axis) for axis in ("frames", "steps", "flops")] == [400_000.0, 100_000.0, 1e9]
    assert limit(one, "seconds") == one.points[-1].spent["seconds"]  # it had no limit
    assert limit(late(budget={"frames": 40_000.0, "steps": 20_000.0})) == 10_000.0


def test_only_the_tables_evaluations_count_and_one_that_is_missing_counts_as_random_play():
    """A student that stood well at the start and badly later gains nothing by leaving the later evaluations out."""
    budget: dict[str, Any] = {"budget": {"flops": 1e12}, "planned": 50_000}  # of FLOPs alone, too
    whole = late((0, 5000, 12500, 25000, None), **budget)
    spent, scores = sampled(whole, planned(whole), np.array(SEEN), SHARES)
    assert list(spent) == [0, 5000, 12500, 25000, 50000] and list(scores) == list(SEEN)
    cut = whole.model_copy(update={"points": (whole.points[0], whole.points[-1])})
    spent, scores = sampled(cut, planned(cut), np.array([0.9, 0.1]), SHARES)
    assert list(spent) == [0, 5000, 12500, 25000, 50000] and list(scores) == [0.9, 0.0, 0.0, 0.0, 0.1]
    assert area(spent, scores, 50_000.0) == pytest.approx(0.09)
    assert area(planned(cut), np.array([0.9, 0.1]), 50_000.0) == pytest.approx(0.9)  # what it would have gained
    more = record("more", points=[(0, 0), (2000, 1), (5000, 2)], due=(0, 2000, None), **budget)  # the end came early
    assert list(sampled(more, planned(more), np.array([0.1, 0.9, 0.2]), SHARES)[1]) == [0.1, 0.2]
    flops = [cut.points[n].spent["flops"] for n in (0, 1)]
    between = sampled(cut, planned(cut, "flops"), np.zeros(2), SHARES)[0][1]
    assert between == pytest.approx(0.9 * flops[0] + 0.1 * flops[1])
    old = late(budget={"steps": 50_000.0})
    assert list(sampled(old, planned(old), np.array(SEEN), SHARES)[0]) == list(REACHED)  # schema 1
