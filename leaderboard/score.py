"""From returns to scores: plain numpy."""

from collections.abc import Callable

import numpy as np

DRAWS = 2000  # bootstrap resamples
SMALL = 1e-8  # keeps the denominator from zero, as in Agarwal et al. (2022)


def normalise(returns, random: float, teacher: float):
    """0 is random play, 1 the teacher's: (return - random) / (teacher - random)."""
    return (np.asarray(returns) - random) / (teacher - random + SMALL)


def iqm(scores: np.ndarray) -> float:
    """Mean of the middle half of all entries (Agarwal et al., 2021)."""
    flat = np.sort(scores, axis=None)
    cut = flat.size // 4
    return float(flat[cut : flat.size - cut].mean())


def mean(scores: np.ndarray) -> float:
    return float(np.mean(scores))


def interval(
    scores: np.ndarray,
    statistic: Callable[[np.ndarray], float] = mean,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap over runs (or episodes), separately within each task: [R, T] -> (low, high)."""
    rng = np.random.default_rng(seed)
    scores = np.asarray(scores, float)
    scores = scores[:, None] if scores.ndim == 1 else scores
    runs, tasks = scores.shape
    rows = rng.integers(runs, size=(draws, runs, tasks))
    values = [statistic(scores[row, np.arange(tasks)]) for row in rows]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
