"""The plots of an entry: a point for each evaluation, at its mean cost, and the performance profile."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import bootstrap, curves, score
from .entries import Entry, Matrices, balanced
from .score import normalise
from .submission import Submission
from .suite import Suite
from .units import AXES

THRESHOLDS = np.linspace(0.0, 2.0, 81)


def detail(entry: Entry, suite: Suite, made: Matrices) -> dict[str, Any]:
    """Return an entry's details: its curves on each task, and its profile."""
    tasks = {task: _of_task(entry.tasks[task], entry, suite, task) for task in suite.tasks if task not in made.missing}
    alone = made.ends.shape[0] == 1
    whole = score.profile(made.ends, THRESHOLDS)
    profile = [digits(whole)] if alone else rows_of(bootstrap.profile(made.ends, THRESHOLDS))
    return {"tasks": tasks, "profile": profile}


def line(entry: Entry, suite: Suite, made: Matrices) -> dict[str, dict[str, list]] | None:
    """Return the learning curve over all tasks along each axis: IQM and interval at each evaluation.

    None if its runs were not evaluated equally often: then only the scores at the sample budgets can be averaged.
    """
    tasks = balanced(entry, suite)
    runs = [one for each in tasks.values() for one in each]
    if len({len(one.record.points) for one in runs}) != 1:
        return None
    scores = np.empty((*made.ends.shape, len(runs[0].record.points)))
    for column, (task, anchor) in enumerate(suite.tasks.items()):
        if task in made.missing:
            scores[:, column] = anchor.missing
        for row, one in enumerate(tasks.get(task, ())):
            scores[row, column] = _scores(one, entry, suite, task)
    alone = made.ends.shape[0] == 1
    drawn = [digits(score.of_one_run(scores[0])["iqm"])] if alone else rows_of(bootstrap.curve(scores))
    return {axis: {"x": _costs(runs, axis), "y": drawn} for axis in AXES}


def _of_task(runs: Sequence[Submission], entry: Entry, suite: Suite, task: str) -> dict[str, dict[str, list]] | None:
    """Return the mean over the runs of one task, with its interval if there is more than one."""
    if len({len(one.record.points) for one in runs}) != 1:
        return None
    scores = np.stack([_scores(one, entry, suite, task) for one in runs])
    drawn = [digits(scores[0])] if len(runs) == 1 else rows_of(bootstrap.mean_curve(scores))
    return {axis: {"x": _costs(runs, axis), "y": drawn} for axis in AXES}


def _scores(one: Submission, entry: Entry, suite: Suite, task: str) -> np.ndarray:
    anchor = suite.tasks[task]
    return normalise(np.array(entry.returns[one.record.run]), anchor.random, anchor.teacher)


def _costs(runs: Sequence[Submission], axis: str) -> list[float]:
    """Return the mean cost of each evaluation over the runs."""
    mean = np.mean([curves.planned(one.record, axis) for one in runs], axis=0)
    return [float(f"{x:.6g}") for x in mean]


def rows_of(one: bootstrap.Estimate) -> list[list[float]]:
    """Return values, lower and upper ends, rounded for a page."""
    return [digits(each) for each in one]


def digits(values: np.ndarray) -> list[float]:
    return np.round(values, 4).tolist()
