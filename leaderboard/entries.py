"""Entries: the runs that an author submitted under one label, as the matrices that scores are computed from."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from . import curves
from .human import by_human
from .results import Results
from .score import normalise
from .submission import State, Submission
from .suite import Anchor, Suite
from .units import AXES

GRID = 41
SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)  # sample budgets of the table: shares of the largest
ORDER: tuple[State, ...] = ("rejected", "revoked", "self-reported", "re-scored", "re-trained", "promoted")
TRUSTED = ORDER.index("re-scored")


class Entry(NamedTuple):
    """All runs under one label."""

    id: str  # author~label~track, safe in file names
    runs: tuple[Submission, ...]
    state: State
    accepted: str  # when its last run was, UTC; unverified ones come after all others

    @property
    def tasks(self) -> dict[str, list[Submission]]:
        """Its runs by task, in the order of their seeds."""
        found: dict[str, list[Submission]] = {}
        for one in sorted(self.runs, key=lambda one: (one.record.task, one.record.seed, one.record.run)):
            found.setdefault(one.record.task, []).append(one)
        return found


def entries(results: Results) -> list[Entry]:
    """The entries of a repository, by name. Rejected runs are left out."""
    groups: dict[str, list[Submission]] = {}
    for one in results.submissions.values():
        if state_of(results, one.record.run) != "rejected":
            groups.setdefault(f"{one.author}~{one.entry}~{one.track}", []).append(one)
    found = []
    for name, runs in sorted(groups.items()):
        verdicts = [results.verdicts.get(one.record.run) for one in runs]
        times = [verdict.accepted if verdict else "" for verdict in verdicts]
        accepted = max(times) if all(times) else f"9{max(one.submitted for one in runs)}"
        found.append(Entry(name, tuple(runs), badge([state_of(results, one.record.run) for one in runs]), accepted))
    return found


def state_of(results: Results, run: str) -> State:
    """What a maintainer said of a run; one that nobody looked at is the author's word."""
    return results.verdicts[run].state if run in results.verdicts else "self-reported"


def badge(states: Iterable[State]) -> State:
    """An entry's badge: its weakest run's, but once every run is re-scored the best of them (cells are sampled)."""
    ranks = [ORDER.index(state) for state in states]
    return ORDER[max(ranks) if min(ranks) >= TRUSTED else min(ranks)]


def anchors(results: Results) -> tuple[dict[str, Anchor], set[str]]:
    """What each task's scores are relative to, and the tasks for which no suite has said it.

    Those get the mean over all records, which moves with every new one: provisional.
    """
    found = {task: anchor for suite in results.suites for task, anchor in suite.tasks.items()}
    loose: dict[str, tuple[list[float], list[float]]] = {}
    for one in results.submissions.values():
        if one.record.task not in found:
            random, teacher = loose.setdefault(one.record.task, ([], []))
            random.append(float(np.mean(one.record.random.returns)))
            if one.record.teacher:
                teacher.append(float(np.mean(one.record.teacher.returns)))
    for task, (random, teacher) in loose.items():
        low = float(np.mean(random))
        found[task] = Anchor(random=low, teacher=float(np.mean(teacher)) if teacher else low + 1.0)
    return found, set(loose)


def views(results: Results, scales: Mapping[str, Anchor]) -> list[Suite]:
    """The suites of a repository, after one of all tasks that anybody played, unless those played whole are just that.

    Those with ALE games come once more at the end, human-normalised.
    """
    played = {one.record.task for one in results.submissions.values()}
    every = {task: scales[task] for task in sorted(played)}
    whole = played == {task for suite in results.suites if suite.tasks.keys() <= played for task in suite.tasks}
    first = [] if whole else [Suite(name="all", version=1, tasks=every, about="Every task that has a record.")]
    shown = [*first, *(suite for suite in results.suites if suite.name != "all")]
    names = {suite.name for suite in shown}
    return [*shown, *(human for human in map(by_human, shown) if human and human.name not in names)]


class Matrices(NamedTuple):
    """One entry in one suite; tasks in the suite's order, NaN where a task has fewer runs than another."""

    ends: np.ndarray  # [R, T] scores at the end
    at: dict[str, np.ndarray]  # axis -> [R, T, K] scores along the grid
    areas: dict[str, np.ndarray]  # axis -> [R, T] mean score from 0 to each run's own budget
    reach: dict[str, np.ndarray]  # axis -> [R, T] cost to reach the teacher
    missing: tuple[str, ...]  # tasks without a run, which count as the anchor's `missing`


def grids(found: Iterable[Entry], suite: Suite) -> dict[str, np.ndarray]:
    """Costs at which curves are read, for each axis: 0, the table's shares, others from the cheapest evaluation on."""
    points = [p.spent for e in found for one in e.runs if one.record.task in suite.tasks for p in one.record.points]
    made = {}
    for axis in AXES:
        spent = np.array([point.get(axis, 0.0) for point in points])
        positive = spent[spent > 0]
        low, high = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
        spaced = np.geomspace(low, high, GRID - len(SHARES) + 1)
        spaced[0], spaced[-1] = low, high  # exactly, so that the last evaluation is reached
        made[axis] = np.sort(np.concatenate([high * np.array(SHARES[:-1]), spaced]))
    return made


def matrices(entry: Entry, suite: Suite, grid: Mapping[str, np.ndarray]) -> Matrices:
    """The scores of an entry in a suite."""
    tasks = entry.tasks
    most = max([1, *(len(tasks.get(task, ())) for task in suite.tasks)])
    shape = (most, len(suite.tasks))
    ends = np.full(shape, np.nan)
    lines = {axis: np.full((*shape, GRID), np.nan) for axis in AXES}
    areas, reach = ({axis: np.full(shape, np.nan) for axis in AXES} for _ in range(2))
    missing = []
    for column, (task, anchor) in enumerate(suite.tasks.items()):
        if not tasks.get(task):
            missing.append(task)
            ends[0, column] = anchor.missing
            for axis in AXES:
                lines[axis][0, column], areas[axis][0, column] = anchor.missing, anchor.missing
                reach[axis][0, column] = np.inf
            continue
        for row, one in enumerate(tasks[task]):
            returns = np.array([np.mean(point.evaluation.returns) for point in one.record.points])
            scores = normalise(returns, anchor.random, anchor.teacher)
            ends[row, column] = scores[-1]
            for axis in AXES:
                spent, limit = curves.planned(one.record, axis), curves.limit(one.record, axis)
                lines[axis][row, column] = curves.score_at(one.record, scores, grid[axis], axis)
                areas[axis][row, column] = curves.area(spent, scores, limit) if limit > 0.0 else scores[-1]
                reach[axis][row, column] = curves.cost_to_reach(spent, scores)
    return Matrices(ends, lines, areas, reach, tuple(missing))
