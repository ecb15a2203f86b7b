"""Entries have one configuration: the fixed track for all tasks, the tuned one for all seeds of a task."""

import pytest

from reincarnate.leaderboard.rules import _track

from .makers import parent, record, submission

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


def of_a_log(part: str, log: str = "log") -> dict:
    return {"parents": (parent("teacher"), parent(log, "log").model_copy(update={"part": part}))}


@pytest.mark.parametrize(
    ("task", "fields", "says"),
    [
        ("gym/A", of_a_log("returns=0.5-1"), "record.parents"),
        ("gym/B", of_a_log("returns=0.5-1"), "record.parents"),
        ("gym/A", of_a_log("", "other"), "record.parents"),  # another log for another seed
        ("gym/B", of_a_log("", "other"), ""),  # each task has its own
        ("gym/B", {"parents": (parent("teacher"),)}, "record.parents"),
        ("gym/A", {"points": (0, 2)}, "record.points"),  # the second, at which it stood badly, is left out
        ("gym/B", {"points": (0, 2)}, "record.points"),
        ("gym/B", {"points": (0, 1)}, ""),  # its FLOPs ended earlier
    ],
)
def test_an_entry_has_one_kind_of_prior_computation_and_the_same_evaluations(task, fields, says):
    mate = record("a", task="gym/A", seed=0, points=((0, 0), (50, 5), (100, 9)), due=[0, 50, None])
    mate = mate.model_copy(update=of_a_log(""))
    one = mate.model_copy(update={"run": "b", "task": task, "seed": 1})
    assert _track(submission(one), [submission(mate)]) == []
    if "points" in fields:
        fields = {"points": tuple(one.points[k] for k in fields["points"])}
    changed = one.model_copy(update=fields)
    told = _track(submission(changed), [submission(mate)])
    assert (told == []) if not says else told[0].startswith(says)
