"""Learning curves of single runs: the score at a budget, the area under the curve, the cost of reaching the teacher."""

from collections.abc import Sequence

import numpy as np

from .record import RunRecord

SAMPLES = ("steps", "frames")  # axes along which evaluations are planned
LATE = 0.02  # share of the run by which an evaluation may be late; beyond, it counts at its actual cost


def score_at(
    record: RunRecord, scores: Sequence[float] | np.ndarray, budgets, axis: str = "steps", before: float = 0.0
) -> np.ndarray:
    """Return a run's scores at budgets along an axis, given the scores of its evaluations: [K], [B] -> [B].

    Tables, reports and exports all use this. Along steps and frames, an evaluation counts from the sample budget that
    it was planned for, although environments stepped together reach it a few steps late. Otherwise the student of
    12,500 steps would appear in the column of 25,000. Records of schema 1 do not say what was planned; there, the first
    evaluation at or after the budget counts, if it came before all environments had stepped once more. Both are limited
    by `LATE`, because the number of environments is the author's claim.
    """
    budgets = np.asarray(budgets, float) + late(record, axis)
    return at(planned(record, axis), np.asarray(scores, float), budgets, before)


def late(record: RunRecord, axis: str = "steps") -> float:
    """Return by how much an evaluation may be late along an axis, if its record does not say what was planned."""
    if axis not in SAMPLES or any(point.due is not None for point in record.points):
        return 0.0
    return min((record.environments - 1) * _unit(record, axis), LATE * record.points[-1].spent.get(axis, 0.0))


def planned(record: RunRecord, axis: str = "steps") -> np.ndarray:
    """Return the amount at which each evaluation of a run counts [K]; along steps and frames, the planned amount."""
    skip = _unit(record, axis) if axis in SAMPLES else 0.0
    spent = [point.spent.get(axis, 0.0) for point in record.points]
    due = [None if not skip or point.due is None else point.due * skip for point in record.points]
    most = LATE * spent[-1]
    return np.array(
        [cost if plan is None or cost - plan > most else plan for cost, plan in zip(spent, due, strict=True)], float
    )


def sampled(
    record: RunRecord, spent: np.ndarray, scores: np.ndarray, shares: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a run had spent and scored at shares of its planned steps, and at its end: [K], [K] -> [S], [S].

    Only these count, and one that was not evaluated as 0, random play: otherwise one could run with many evaluations,
    and again with those at which it stood best. A run that does not say what was planned is returned as it is.
    """
    if not record.planned:
        return spent, scores
    steps, due, found = [point.spent["steps"] for point in record.points], [point.due for point in record.points], []
    for wanted in (share * record.planned for share in shares if share < 1.0 and share * record.planned < steps[-1]):
        at = next((n for n, each in enumerate(due) if each is not None and abs(each - wanted) < 1.0), None)
        found.append((np.interp(wanted, steps, spent), 0.0) if at is None else (spent[at], scores[at]))
    counted = np.array([*found, (spent[-1], scores[-1])])
    return counted[:, 0], counted[:, 1]


def limit(record: RunRecord, axis: str = "steps") -> float:
    """Return a run's budget along an axis: its limit, or the amount spent if it had none."""
    limits = [record.budget[axis]] if axis in record.budget else []
    if axis in SAMPLES:
        skip, other = _unit(record, "frames"), SAMPLES[1 - SAMPLES.index(axis)]
        limits += [record.budget[other] * (skip if axis == "frames" else 1 / skip)] if other in record.budget else []
    return float(min(limits, default=record.points[-1].spent.get(axis, 0.0)))


def _unit(record: RunRecord, axis: str) -> float:
    """Return the length of one agent step along an axis: 1 step, or the protocol's frame skip."""
    return 1.0 if axis == "steps" else float(record.protocol.get("frame_skip") or 1)


def at(spent: np.ndarray, scores: np.ndarray, budgets: np.ndarray, before: float = 0.0) -> np.ndarray:
    """Return a run's score at each budget: [K], [K], [B] -> [B].

    A curve is a staircase: each score holds until the next evaluation, and the last one beyond the end of a run that
    stopped early. Before the first evaluation it is `before`, 0 for random play. `spent` must not fall.
    """
    step = np.searchsorted(np.asarray(spent, float), np.asarray(budgets, float), side="right")
    return np.concatenate([[before], np.asarray(scores, float)])[step]


def area(spent: np.ndarray, scores: np.ndarray, until: float, before: float = 0.0) -> float:
    """Return the mean height of the staircase from 0 to `until`, which rewards early learning.

    ValueError unless `until` is above zero.
    """
    if not until > 0.0:
        raise ValueError("the area under a curve needs a budget above zero")
    edges = np.clip(np.concatenate([[0.0], np.asarray(spent, float), [until]]), 0.0, until)
    heights = np.concatenate([[before], np.asarray(scores, float)])
    return float((np.diff(edges) * heights).sum() / until)


def cost_to_reach(spent: np.ndarray, scores: np.ndarray, goal: float = 1.0) -> float:
    """Return the amount spent when the score first reached the goal, infinite if it never did (a miss): [K], [K]."""
    reached = np.flatnonzero(np.asarray(scores) >= goal)
    return float(np.asarray(spent)[reached[0]]) if reached.size else float("inf")


def scale_fault(random: np.ndarray, teacher: np.ndarray) -> str:
    """Return why a teacher cannot serve as a yardstick, given both policies' episode returns [E], [F]; "" if it can.

    "negative": it is worse than random play, which would invert the scale.
    "small": it is better by less than two standard errors of the difference, so that scores would be mostly noise.
    """
    random, teacher = np.asarray(random, float), np.asarray(teacher, float)
    gap = teacher.mean() - random.mean()
    error = np.sqrt(sum(x.var(ddof=1) / x.size if x.size > 1 else 0.0 for x in (random, teacher)))
    return "negative" if gap < 0 else "small" if gap <= 2 * error else ""
