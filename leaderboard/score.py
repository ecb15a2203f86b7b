"""From returns to scores, in plain numpy. Matrices are [R, T], runs x tasks; NaN marks a missing run."""

from collections.abc import Callable

import numpy as np

DRAWS = 2_000  # bootstrap resamples
SMALL = 1e-8  # keeps the denominator from zero, as in Agarwal et al. (2022)


def normalise(returns, random: float, teacher: float):
    """Normalise a return so that 0 is random play and 1 the teacher: (return - random) / (teacher - random)."""
    return (np.asarray(returns) - random) / (teacher - random + SMALL)


def iqm(scores: np.ndarray) -> float:
    """Return the interquartile mean of all entries (Agarwal et al., 2021)."""
    flat = np.sort(known(scores))
    cut = flat.size // 4
    return float(flat[cut : flat.size - cut].mean())


def mean(scores: np.ndarray) -> float:
    """Return the mean over tasks of the mean over runs."""
    return float(np.mean(_tasks(scores)))


def median(scores: np.ndarray) -> float:
    """Return the median over tasks of the mean over runs."""
    return float(np.median(_tasks(scores)))


def optimality_gap(scores: np.ndarray, goal: float = 1.0) -> float:
    """Return the optimality gap: the mean shortfall from the goal, where exceeding it counts as 0."""
    return goal - mean(np.minimum(scores, goal))


def above(scores: np.ndarray, goal: float = 1.0) -> float:
    """Return the share of runs above the goal, mean over tasks; a goal of 1 is the teacher."""
    return mean(np.where(np.isnan(scores), np.nan, np.asarray(scores) > goal))


def of_one_run(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Return the five aggregates of one run per task at K points: [T, K] -> [K] by name."""
    ordered, cut = np.sort(scores, axis=0), len(scores) // 4
    return {
        "iqm": ordered[cut : len(scores) - cut].mean(axis=0),
        "mean": scores.mean(axis=0),
        "median": (ordered[len(scores) // 2] + ordered[(len(scores) - 1) // 2]) / 2,
        "optimality_gap": 1.0 - np.minimum(scores, 1.0).mean(axis=0),
        "above": (scores > 1.0).mean(axis=0),
    }


def profile(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return the share of all entries above each threshold: [R, T], [K] -> [K] (Agarwal et al., 2021)."""
    return (known(scores)[:, None] > thresholds).mean(axis=0)


def improvement(scores: np.ndarray, baseline: np.ndarray) -> float:
    """Return the probability that a run beats one of the baseline on the same task, mean over tasks: [R, T], [S, T].

    Ties count half.
    """
    return float(np.mean([np.mean(wins(x, y)) for x, y in zip(columns(scores), columns(baseline), strict=True)]))


def wins(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return 1 where x beats y, 1/2 where they are equal, else 0: [R], [S] -> [R, S]."""
    difference = np.asarray(x)[:, None] - np.asarray(y)
    return 0.5 + 0.5 * np.sign(difference)


def known(scores: np.ndarray) -> np.ndarray:
    """Flatten the entries without NaN, task by task: [R, T] -> [N]; ValueError if there are none."""
    flat = np.asarray(scores, float).ravel(order="F")
    flat = flat[~np.isnan(flat)]
    if not flat.size:
        raise ValueError("there are no scores: give at least one run")
    return flat


def columns(scores: np.ndarray) -> list[np.ndarray]:
    """Return the runs of each task; ValueError for a task without runs, whose mean is undefined."""
    scores = np.asarray(scores, float)
    found = [task[~np.isnan(task)] for task in (scores.T if scores.ndim > 1 else [scores])]
    if not all(task.size for task in found):
        raise ValueError("a task has no runs: fill in the score of a missing cell, or leave the task out")
    return found


def _tasks(scores: np.ndarray) -> np.ndarray:
    return np.array([task.mean() for task in columns(scores)])


def interval(
    scores: np.ndarray,
    statistic: Callable[[np.ndarray], float] = mean,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of any statistic over runs (or episodes) within each task.

    [R, T] -> (low, high). For the leaderboard's statistics `bootstrap.estimates` is faster.
    """
    rng = np.random.default_rng(seed)
    scores = np.asarray(scores, float)
    scores = scores[:, None] if scores.ndim == 1 else scores
    runs, tasks = scores.shape
    rows = rng.integers(runs, size=(draws, runs, tasks))
    if statistic is mean:
        values = scores[rows, np.arange(tasks)].mean(axis=1).mean(axis=1)
    else:
        values = [statistic(scores[row, np.arange(tasks)]) for row in rows]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
