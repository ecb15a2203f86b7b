"""95 % stratified bootstrap intervals (Agarwal et al., 2021), without building a resampled matrix.

A resample is represented by how often each run was drawn. All statistics are computed from these counts: a sum is a
product with them, and the interquartile mean sorts the runs once, not once per resample. Whole runs are drawn, so that
all points of a curve share their resamples.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from . import score

DRAWS = score.DRAWS  # the same everywhere, so that equal scores have equal intervals
LEVEL = 0.95


class Estimate(NamedTuple):
    """A statistic and its 95 % interval: each a float, or an array [K] for a curve."""

    value: Any
    low: Any
    high: Any


def estimates(scores: np.ndarray, draws: int = DRAWS, seed: int = 0) -> dict[str, Estimate]:
    """IQM, mean, median, optimality gap and share of runs above the teacher: [R, T] -> by name.

    Deterministic. NaN marks missing runs of a task; ValueError if a task has no runs.
    """
    return estimates_of([scores], draws, seed)[0]


def estimates_of(places: Sequence[np.ndarray], draws: int = DRAWS, seed: int = 0) -> list[dict[str, Estimate]]:
    """Return the estimates at several points of the same runs: equal scores are resampled once."""
    distinct = {scores.tobytes(): scores for scores in places}
    tasks = [score.columns(scores) for scores in distinct.values()]
    sizes = tuple(map(len, tasks[0]))
    drawn, middle, count = counts(sizes, draws, seed), len(sizes) // 2, len(sizes)
    flats = np.array([np.concatenate(each) for each in tasks])
    gaps, better = 1.0 - np.minimum(flats, 1.0), (flats > 1.0).astype(float)
    each = means(drawn, np.concatenate([flats, gaps, better]), sizes).reshape(3, len(flats), count, draws)
    found = {}
    for number, (name, scores) in enumerate(distinct.items()):
        average = each[:, number].mean(axis=1)
        ordered = np.sort(each[0, number], axis=0)  # the median is the middle task, or the mean of the middle two
        found[name] = {
            "iqm": _estimate(score.iqm(flats[number]), iqms(drawn, flats[number])),
            "mean": _estimate(score.mean(scores), average[0]),
            "median": _estimate(score.median(scores), (ordered[middle] + ordered[(count - 1) // 2]) / 2),
            "optimality_gap": _estimate(score.optimality_gap(scores), average[1]),
            "above": _estimate(score.above(scores), average[2]),
        }
    return [found[scores.tobytes()] for scores in places]


def mean(scores: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return the mean of one task's runs, as in `estimates`: [R]."""
    drawn = counts((len(scores),), draws, seed)
    return _estimate(float(np.mean(scores)), means(drawn, scores[None], (len(scores),))[0, 0])


def improvement(scores: np.ndarray, baseline: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return the probability of improvement over a baseline, each resampled independently: [R, T], [S, T]."""
    ours, theirs = score.columns(scores), score.columns(baseline)
    first = _by_task(counts(tuple(map(len, ours)), draws, seed), ours)
    second = _by_task(counts(tuple(map(len, theirs)), draws, seed + 1), theirs)
    total = np.zeros(draws)
    for x, y, a, b in zip(ours, theirs, first, second, strict=True):
        won = score.wins(x, y).T / (len(x) * len(y))
        total += (_product(won, a) * b).sum(axis=0)
    return _estimate(score.improvement(scores, baseline), total / len(ours))


def beats(scores: np.ndarray, other: np.ndarray, draws: int = DRAWS, seed: int = 0) -> float:
    """Return the probability that one interquartile mean exceeds another, both resampled; ties count half.

    [R, T], [S, T] -> a number in [0, 1].
    """
    drawn = []
    for number, one in enumerate((scores, other)):
        tasks = score.columns(one)
        drawn.append(iqms(counts(tuple(map(len, tasks)), draws, seed + number), np.concatenate(tasks)))
    return float(np.mean(0.5 + 0.5 * np.sign(drawn[0] - drawn[1])))


def profile(scores: np.ndarray, thresholds: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return the performance profile, the share of runs above each threshold: [R, T], [K] -> [K], pointwise."""
    tasks = score.columns(scores)
    flat = np.concatenate(tasks)
    order = np.argsort(flat)
    ranks = np.cumsum(counts(tuple(map(len, tasks)), draws, seed)[order], axis=0, dtype=np.uint32)
    above = flat.size - np.concatenate([np.zeros_like(ranks[:1]), ranks])  # [N + 1, D] entries above the lowest n
    steps = _estimate(0.0, above / flat.size)
    lowest = np.searchsorted(flat[order], thresholds, side="right")
    return Estimate(score.profile(scores, thresholds), steps.low[lowest], steps.high[lowest])


def curve(scores: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return the IQM at each of K points, resampling whole runs: [R, T, K] -> [K] with pointwise intervals."""
    scores = np.asarray(scores, float)
    tasks = [task[~np.isnan(task).any(axis=1)] for task in np.moveaxis(scores, 1, 0)]
    flat = np.concatenate(tasks)
    drawn = counts(tuple(map(len, tasks)), draws, seed)
    values = np.array([score.iqm(point) for point in flat.T])
    return _estimate(values, np.stack([iqms(drawn, point) for point in flat.T]))


def mean_curve(runs: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return the mean over the runs of one task at each of K points, resampling whole runs: [R, K] -> [K]."""
    drawn = counts((len(runs),), draws, seed)
    return _estimate(runs.mean(axis=0), _product(runs.T / len(runs), drawn))


def cost(costs: np.ndarray, draws: int = DRAWS, seed: int = 0) -> tuple[Estimate, float]:
    """Return the median cost over all runs [R, T], with misses as infinite, and the share of misses."""
    tasks = score.columns(costs)
    flat = np.concatenate(tasks)
    order, half = np.argsort(flat), flat.size // 2
    ranks = np.cumsum(counts(tuple(map(len, tasks)), draws, seed)[order], axis=0, dtype=np.uint32)
    medians = flat[order][(ranks > half).argmax(axis=0)]
    low, high = np.quantile(medians, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return Estimate(float(flat[order][half]), float(low), float(high)), float(np.isinf(flat).mean())


@lru_cache(maxsize=8)
def counts(sizes: tuple[int, ...], draws: int, seed: int) -> np.ndarray:
    """Draw as many runs of each task as it has, and count each run: sizes [T] -> counts [N, D], N the sum of sizes."""
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
    """Return the interquartile mean of every resample: [N, D], [N] -> [D].

    With the runs sorted, the middle half of a resample lies between a quarter and three quarters of its cumulative
    count; the sum over it is taken by summation by parts.
    """
    n, order = flat.size, np.argsort(flat, kind="stable")
    cut = n // 4
    small = np.uint8 if n < 256 and drawn.dtype == np.uint8 else np.uint32
    ranks = np.cumsum(drawn[order], axis=0, dtype=small)
    np.clip(ranks, cut, n - cut, out=ranks)
    steps = np.diff(flat[order])
    total = (n - cut) * flat[order[-1]] - cut * flat[order[0]]
    if n > 1:
        total = total - _product(steps[None], ranks[:-1])[0]
    return np.broadcast_to(np.asarray(total, float), drawn.shape[1:]) / (n - 2 * cut)


def means(drawn: np.ndarray, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Return the mean within each task of every resample: [N, D], [M, N], [T] -> [M, T, D]."""
    ends = np.cumsum((0, *sizes))
    spans = zip(ends[:-1], ends[1:], strict=True)
    return np.stack([_product(values[:, a:b] / (b - a), drawn[a:b]) for a, b in spans], axis=1)


def _product(weights: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Multiply [M, N] @ [N, D] one run at a time: starting a matrix library's threads would take longer."""
    total = np.zeros((len(weights), drawn.shape[1]))
    for weight, times in zip(weights.T, drawn, strict=True):
        total += weight[:, None] * times
    return total


def _by_task(drawn: np.ndarray, tasks: list[np.ndarray]) -> list[np.ndarray]:
    ends = np.cumsum([0, *map(len, tasks)])
    return [drawn[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]


def _estimate(value, resampled: np.ndarray) -> Estimate:
    """Return percentiles over the last axis: [D] or [K, D]. A full sort is faster than two partitions."""
    ordered = np.sort(resampled, axis=-1)
    ends = []
    for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        place = share * (ordered.shape[-1] - 1)
        under = int(place)
        below, beyond = ordered[..., under], ordered[..., min(under + 1, ordered.shape[-1] - 1)]
        ends.append(below + (place - under) * (beyond - below))
    plain = (lambda x: float(x)) if resampled.ndim == 1 else np.asarray
    return Estimate(plain(value), *map(plain, ends))


def rounded(named: Mapping[str, Estimate], digits: int = 4) -> dict[str, list[float]]:
    """Return estimates for a file: {name: [value, low, high]}."""
    return {name: [round(float(x), digits) for x in one] for name, one in named.items()}
