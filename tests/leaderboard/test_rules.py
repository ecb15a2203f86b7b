"""Entries have one configuration: the fixed track for all tasks, the tuned one for all seeds of a task."""

import pytest

from reincarnate.leaderboard.rules import _track

from .makers import record, submission

TUNED = {"track": "tuned", "tuning": ({"run": "x", "spent": {"flops": 1.0}},)}


@pytest.mark.parametrize(
    ("fields", "task", "says"),
    [
        ({}, "gym/A", "record.settings"),
        ({}, "gym/B", "record.settings"),
        (TUNED, "gym/A", "record.settings"),  # the best of some settings for each seed
        (TUNED, "gym/B", ""),
    ],
)
def test_another_configuration_of_the_same_entry(fields, task, says):
    mate = submission(record("a", task="gym/A", seed=0), **fields)
    one = submission(record("b", task=task, seed=1, settings={"n_step": 9}), **fields)
    told = _track(one, [mate])
    assert (told == []) if not says else told[0].startswith(says)
    same = submission(record("b", task=task, seed=1), **fields)
    assert _track(same, [mate]) == []
