"""Entries: the runs that an author submitted under one label, as matrices of scores."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from . import curves
from .human import by_human
from .record import foreign
from .results import Results
from .score import normalise
from .submission import State, Submission, Verdict
from .suite import Anchor, Suite
from .units import AXES

GRID = 41
SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)  # sample budgets of the table: shares of the usual one
ORDER: tuple[State, ...] = ("rejected", "revoked", "self-reported", "re-scored", "re-trained", "promoted")
TRUSTED = ORDER.index("re-scored")


class Entry(NamedTuple):
    """All runs under one label."""

    id: str  # author~label~track, safe in file names
    runs: tuple[Submission, ...]
    state: State
    accepted: str  # when its last run was accepted, UTC
    returns: Mapping[
        str, tuple[float, ...]
    ] = {}  # by run: the mean return at each point; the last one is a maintainer's
    checked: int = 0  # number of runs whose cost a maintainer confirmed by training
    began: str = ""  # when its first run was accepted, UTC
    claimed: bool = False  # whether earlier scores are claims: only the author played those students
    tasks: Mapping[str, list[Submission]] = {}  # its runs by task, in the order of their seeds
    content: str = ""  # digests of its runs' files


def entries(results: Results) -> list[Entry]:
    """Return the entries of a repository by name: runs whose last student a maintainer has played, none rejected."""
    groups: dict[str, list[Submission]] = {}
    for one in results.submissions.values():
        verdict = results.verdicts.get(one.record.run)
        if verdict is not None and verdict.rescored is not None and verdict.state not in ("rejected", "self-reported"):
            groups.setdefault(f"{one.author}~{one.entry}~{one.track}", []).append(one)
    found = []
    for name, runs in sorted(groups.items()):
        verdicts = [results.verdicts[one.record.run] for one in runs]
        returns = {one.record.run: judged(one, verdict) for one, verdict in zip(runs, verdicts, strict=True)}
        state = badge([verdict.state for verdict in verdicts])
        claimed = any(len(v.points) < len(one.record.points) > 1 for one, v in zip(runs, verdicts, strict=True))
        when = [verdict.accepted or f"9{one.submitted}" for one, verdict in zip(runs, verdicts, strict=True)]
        checked = sum(bool(verdict.retrained) and verdict.state in ("re-trained", "promoted") for verdict in verdicts)
        content = " ".join(results.digests.get(one.record.run, "") for one in runs)
        told = (tuple(runs), state, max(when), returns, checked, min(when), claimed, _by_task(runs), content)
        found.append(Entry(name, *told))
    return found


def _by_task(runs: Sequence[Submission]) -> dict[str, list[Submission]]:
    found: dict[str, list[Submission]] = {}
    for one in sorted(runs, key=lambda one: (one.record.task, one.record.seed, one.record.run)):
        found.setdefault(one.record.task, []).append(one)
    return found


def judged(one: Submission, verdict: Verdict) -> tuple[float, ...]:
    """Return the mean returns of a run's students, as a maintainer measured them; the author's for unplayed ones."""
    if len(verdict.points) == len(one.record.points):
        return tuple(evaluation.mean for evaluation in verdict.points)
    assert verdict.rescored is not None
    return (*(point.evaluation.mean for point in one.record.points[:-1]), verdict.rescored.mean)


def claims(results: Results, found: Sequence[Entry]) -> list[Submission]:
    """List runs that no maintainer has played: they have no score and no place."""
    shown = {one.record.run for entry in found for one in entry.runs}
    states = {run: state_of(results, run) for run in results.submissions}
    return [one for run, one in sorted(results.submissions.items()) if run not in shown and states[run] != "rejected"]


def unranked(entry: Entry, suite: Suite) -> str:
    """Return why an entry has no place in a suite; empty if it has one.

    A revoked entry has none. An entry needs the seeds 0 to n-1 of one configuration on each task that it played, with
    the suite's n, and methods whose code the maintainers have. For a season's hidden tasks it must have been accepted
    before they were revealed, on the fixed track with its single configuration.
    """
    if entry.state == "revoked":
        return "a maintainer has revoked it"
    if suite.ends and not suite.hidden and (entry.began > suite.ends or entry.runs[0].track == "tuned"):
        why = "it is in the tuned track" if entry.runs[0].track == "tuned" else f"its first run came {entry.began}"
        return f"{why}: it could have been tuned to the tasks that were hidden until {suite.ends}"
    if strangers := sorted(filter(None, (foreign(one.record) for one in entry.runs))):
        return f"{strangers[0]} is a third party's code, which nobody here has read: it is listed apart"
    for task in suite.tasks:
        seeds = sorted(one.record.seed for one in entry.tasks.get(task, ()))
        if seeds and (seeds != list(range(len(seeds))) or len(seeds) < suite.seeds):
            told = f"seeds {', '.join(map(str, seeds[:9]))} of {task}"
            return f"{told}: an entry of this suite needs at least the seeds 0 to {suite.seeds - 1}, without gaps"
    return ""


def state_of(results: Results, run: str) -> State:
    """Return a run's badge; an unjudged run is a claim."""
    return results.verdicts[run].state if run in results.verdicts else "self-reported"


def badge(states: Iterable[State]) -> State:
    """Return an entry's badge: its weakest run's; once all runs are re-scored, its best run's."""
    ranks = [ORDER.index(state) for state in states]
    return ORDER[max(ranks) if min(ranks) >= TRUSTED else min(ranks)]


def anchors(results: Results) -> dict[str, Anchor]:
    """Return each task's anchor in the suites; tasks outside of all suites have none."""
    return {task: anchor for suite in results.suites for task, anchor in suite.tasks.items()}


def views(results: Results, scales: Mapping[str, Anchor]) -> list[Suite]:
    """Return a suite of all their played tasks, unless one of them is the same, and then the repository's suites.

    Suites with ALE games are repeated at the end, human-normalised.
    """
    played = {one.record.task for one in results.submissions.values()} & scales.keys()
    every = {task: scales[task] for task in sorted(played)}
    whole = played == {task for suite in results.suites if suite.tasks.keys() <= played for task in suite.tasks}
    seeds = min([suite.seeds for suite in results.suites], default=1)
    about = "All tasks of the suites that have a record."
    first = [] if whole or not every else [Suite(name="all", version=1, tasks=every, about=about, seeds=seeds)]
    shown = [*first, *(suite for suite in results.suites if suite.name != "all")]
    names = {suite.name for suite in shown}
    return [*shown, *(human for human in map(by_human, shown) if human and human.name not in names)]


class Matrices(NamedTuple):
    """One entry in one suite; tasks in the suite's order, with equally many runs of each."""

    ends: np.ndarray  # [R, T] scores at the end
    at: dict[str, np.ndarray]  # axis -> [R, T, K] scores along the grid
    areas: dict[str, np.ndarray]  # axis -> [R, T] mean score from 0 to each run's own budget
    reach: dict[str, np.ndarray]  # axis -> [R, T] cost to reach the teacher
    missing: tuple[str, ...]  # tasks without a run, which count as the anchor's `missing`


def grids(found: Sequence[Entry], suite: Suite) -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Return the costs at which curves are read, by axis, and the table's among them: shares of the usual budget.

    The usual budget is the largest that is at most 1.5 times the median entry's: a single longer run does not move the
    columns, and one that overshoots a little is read at its end. The costs are 0, the table's, and log-spaced ones.
    """
    runs = [[one.record.points for one in entry.runs if one.record.task in suite.tasks] for entry in found]
    grid, levels = {}, {}
    for axis in AXES:
        spent = [np.array([point.spent.get(axis, 0.0) for points in each for point in points]) for each in runs]
        positive = np.concatenate([[], *(each[each > 0] for each in spent)])
        low, high = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
        most = np.sort([each.max() for each in spent]) if positive.size else np.ones(1)
        shares = most[most <= 1.5 * most[len(most) // 2]][-1] * np.array(SHARES)
        spaced = np.geomspace(low, high, GRID - len(SHARES))
        spaced[0], spaced[-1] = low, high  # exact, so that the last evaluation is included
        grid[axis] = np.sort(np.concatenate([shares, spaced]))
        levels[axis] = np.searchsorted(grid[axis], shares).tolist()
    return grid, levels


def balanced(entry: Entry, suite: Suite) -> dict[str, list[Submission]]:
    """Return equally many runs of each task that an entry has in a suite: those with the first seeds.

    The rank pools all runs, so many seeds of an easy task would raise it.
    """
    played = {task: entry.tasks[task] for task in suite.tasks if entry.tasks.get(task)}
    least = min(map(len, played.values()), default=0)
    return {task: runs[:least] for task, runs in played.items()}


def matrices(entry: Entry, suite: Suite, grid: Mapping[str, np.ndarray]) -> Matrices:
    """Return the scores of an entry in a suite; a task that it has not played counts as if run with every seed."""
    tasks = balanced(entry, suite)
    shape = (max([1, *map(len, tasks.values())]), len(suite.tasks))
    ends = np.empty(shape)
    lines = {axis: np.empty((*shape, GRID)) for axis in AXES}
    areas, reach = ({axis: np.empty(shape) for axis in AXES} for _ in range(2))
    missing = []
    for column, (task, anchor) in enumerate(suite.tasks.items()):
        if task not in tasks:
            missing.append(task)
            ends[:, column] = anchor.missing
            for axis in AXES:
                lines[axis][:, column], areas[axis][:, column] = anchor.missing, anchor.missing
                reach[axis][:, column] = np.inf
            continue
        for row, one in enumerate(tasks[task]):
            scores = normalise(np.array(entry.returns[one.record.run]), anchor.random, anchor.teacher)
            ends[row, column] = scores[-1]
            for axis in AXES:
                spent, seen = curves.sampled(one.record, curves.planned(one.record, axis), scores, SHARES)
                limit = curves.limit(one.record, axis)
                lines[axis][row, column] = curves.at(spent, seen, grid[axis] + curves.late(one.record, axis))
                areas[axis][row, column] = curves.area(spent, seen, limit) if limit > 0.0 else scores[-1]
                reach[axis][row, column] = curves.cost_to_reach(spent, seen)
    return Matrices(ends, lines, areas, reach, tuple(missing))
