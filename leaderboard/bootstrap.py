"""95 % stratified bootstrap intervals (Agarwal et al., 2021), without ever building a resampled matrix.

A resample is told by how often each run was drawn. Every statistic is computed
from these counts: a sum is a product with them, and the interquartile mean needs
the runs sorted once, not once a resample. Whole runs are drawn, so that all
points of a curve see the same resamples and stay together.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from . import score

DRAWS = 50_000
CURVE_DRAWS = 2_000
LEVEL = 0.95


class Estimate(NamedTuple):
    """A statistic and its 95 % interval: each a float, or an array [K] for a curve."""

    value: Any
    low: Any
    high: Any


def estimates(scores: np.ndarray, draws: int = DRAWS, seed: int = 0) -> dict[str, Estimate]:
    """IQM, mean, median, optimality gap and share of runs above the teacher: [R, T] -> by name.

    Twice the same call gives twice the same intervals. NaN marks runs that a task
    lacks; ValueError if a task has none at all.
    """
    tasks = score.columns(scores)
    drawn = counts(tuple(map(len, tasks)), draws, seed)
    flat = np.concatenate(tasks)
    gaps, better = 1.0 - np.minimum(flat, 1.0), (flat > 1.0).astype(float)
    each = means(drawn, np.stack([flat, gaps, better], axis=1), tuple(map(len, tasks)))  # [T, D, 3]
    average = each.mean(axis=0)
    return {
        "iqm": _estimate(score.iqm(flat), iqms(drawn, flat)),
        "mean": _estimate(score.mean(scores), average[:, 0]),
        "median": _estimate(score.median(scores), np.median(each[:, :, 0], axis=0)),
        "optimality_gap": _estimate(score.optimality_gap(scores), average[:, 1]),
        "above": _estimate(score.above(scores), average[:, 2]),
    }


def improvement(scores: np.ndarray, baseline: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Probability of improvement over a baseline, both resampled on their own: [R, T], [S, T]."""
    ours, theirs = score.columns(scores), score.columns(baseline)
    first = _by_task(counts(tuple(map(len, ours)), draws, seed), ours)
    second = _by_task(counts(tuple(map(len, theirs)), draws, seed + 1), theirs)
    total = np.zeros(draws)
    for x, y, a, b in zip(ours, theirs, first, second, strict=True):
        won = score.wins(x, y) / (len(x) * len(y))
        total += ((won.T @ a) * b).sum(axis=0)
    return _estimate(score.improvement(scores, baseline), total / len(ours))


def profile(scores: np.ndarray, thresholds: np.ndarray, draws: int = CURVE_DRAWS, seed: int = 0) -> Estimate:
    """Performance profile: the share of runs above each threshold, [R, T], [K] -> [K] with pointwise intervals."""
    tasks = score.columns(scores)
    drawn = counts(tuple(map(len, tasks)), draws, seed)
    over = (np.concatenate(tasks)[:, None] > thresholds).astype(float)
    return _estimate(score.profile(scores, thresholds), drawn.T.astype(float) @ over / len(over))


def curve(scores: np.ndarray, draws: int = CURVE_DRAWS, seed: int = 0) -> Estimate:
    """IQM at each of K points, runs resampled whole: [R, T, K] -> [K] with pointwise intervals."""
    scores = np.asarray(scores, float)
    tasks = [task[~np.isnan(task).any(axis=1)] for task in np.moveaxis(scores, 1, 0)]
    flat = np.concatenate(tasks)
    drawn = counts(tuple(map(len, tasks)), draws, seed)
    values = np.array([score.iqm(point) for point in flat.T])
    return _estimate(values, np.stack([iqms(drawn, point) for point in flat.T], axis=1))


def cost(costs: np.ndarray, draws: int = DRAWS, seed: int = 0) -> tuple[Estimate, float]:
    """Median cost over all runs, misses being infinite, and the share of misses: [R, T]."""
    tasks = score.columns(costs)
    flat = np.concatenate(tasks)
    order, half = np.argsort(flat), flat.size // 2
    ranks = np.cumsum(counts(tuple(map(len, tasks)), draws, seed)[order], axis=0, dtype=np.uint32)
    medians = flat[order][(ranks > half).argmax(axis=0)]
    low, high = np.quantile(medians, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return Estimate(float(flat[order][half]), float(low), float(high)), float(np.isinf(flat).mean())


@lru_cache(maxsize=8)
def counts(sizes: tuple[int, ...], draws: int, seed: int) -> np.ndarray:
    """How often each run is drawn when every task draws as many as it has: sizes [T] -> [N, D], N their sum."""
    rng = np.random.default_rng(seed)
    most = np.uint8 if max(sizes) < 256 else np.uint32
    drawn = np.empty((sum(sizes), draws), most)
    row = 0
    for size in sizes:
        picks = rng.integers(size, size=(size, draws), dtype=np.uint8 if size <= 256 else np.uint32)
        for run in range(size):
            drawn[row + run] = (picks == run).sum(axis=0, dtype=most)
        row += size
    drawn.flags.writeable = False
    return drawn


def iqms(drawn: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """The interquartile mean of every resample: [N, D], [N] -> [D].

    With the runs in order, the middle half of a resample is what its running count
    has between a quarter and three quarters; the sum over it is summed by parts.
    """
    n, order = flat.size, np.argsort(flat, kind="stable")
    cut = n // 4
    small = np.uint8 if n < 256 and drawn.dtype == np.uint8 else np.uint32
    ranks = np.cumsum(drawn[order], axis=0, dtype=small)
    np.clip(ranks, cut, n - cut, out=ranks)
    steps = np.diff(flat[order])
    total = (n - cut) * flat[order[-1]] - cut * flat[order[0]]
    if n > 1:
        total = total - steps @ ranks[:-1]
    return np.broadcast_to(np.asarray(total, float), drawn.shape[1:]) / (n - 2 * cut)


def means(drawn: np.ndarray, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """The mean within each task of every resample: [N, D], [N, M], [T] -> [T, D, M]."""
    ends = np.cumsum((0, *sizes))
    return np.stack(
        [drawn[a:b].T.astype(float) @ values[a:b] / (b - a) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    )


def _by_task(drawn: np.ndarray, tasks: list[np.ndarray]) -> list[np.ndarray]:
    ends = np.cumsum([0, *map(len, tasks)])
    return [drawn[a:b].astype(float) for a, b in zip(ends[:-1], ends[1:], strict=True)]


def _estimate(value, resampled: np.ndarray) -> Estimate:
    """Percentiles over the first axis: [D] or [D, K]."""
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    plain = (lambda x: float(x)) if resampled.ndim == 1 else np.asarray
    return Estimate(plain(value), plain(low), plain(high))


def rounded(named: Mapping[str, Estimate], digits: int = 4) -> dict[str, list[float]]:
    """Estimates for a file: {name: [value, low, high]}."""
    return {name: [round(float(x), digits) for x in one] for name, one in named.items()}
