"""Learning curves of single runs: what a run has at a budget, the area under it, and what reaching the teacher cost."""

import numpy as np


def at(spent: np.ndarray, scores: np.ndarray, budgets: np.ndarray, before: float = 0.0) -> np.ndarray:
    """The score that a run has at each budget: [K], [K], [B] -> [B].

    A curve is a staircase: a student stays what it was at its last evaluation,
    also beyond the end of a run that stopped early. Before the first evaluation
    there is no student, and `before` stands, which is random play's 0. `spent`
    must not fall.
    """
    step = np.searchsorted(np.asarray(spent, float), np.asarray(budgets, float), side="right")
    return np.concatenate([[before], np.asarray(scores, float)])[step]


def area(spent: np.ndarray, scores: np.ndarray, limit: float, before: float = 0.0) -> float:
    """Mean height of the staircase from 0 to `limit`: a student that is good early has more of it.

    ValueError unless the limit is above zero.
    """
    if not limit > 0.0:
        raise ValueError("the area under a curve needs a budget above zero")
    edges = np.clip(np.concatenate([[0.0], np.asarray(spent, float), [limit]]), 0.0, limit)
    heights = np.concatenate([[before], np.asarray(scores, float)])
    return float((np.diff(edges) * heights).sum() / limit)


def cost_to_reach(spent: np.ndarray, scores: np.ndarray, goal: float = 1.0) -> float:
    """What was spent when the score first was at the goal or above: [K], [K]; infinite if it never was (a miss)."""
    reached = np.flatnonzero(np.asarray(scores) >= goal)
    return float(np.asarray(spent)[reached[0]]) if reached.size else float("inf")


def scale_fault(random: np.ndarray, teacher: np.ndarray) -> str:
    """What is wrong with a teacher as a yardstick, given both policies' episode returns: [E], [F] -> "" if nothing.

    "negative": it is worse than random play, which turns the scale round.
    "small": it is better by less than two standard errors of the difference, so
    that scores relative to it are mostly noise.
    """
    random, teacher = np.asarray(random, float), np.asarray(teacher, float)
    gap = teacher.mean() - random.mean()
    error = np.sqrt(sum(x.var(ddof=1) / x.size if x.size > 1 else 0.0 for x in (random, teacher)))
    return "negative" if gap < 0 else "small" if gap <= 2 * error else ""
