"""How fast 12 methods are ranked: all aggregates, and curves.

`python tests/speed/score.py`. The bare limit beside it is one sort of the resampled matrices, which is what the
interquartile mean needs at least when they are built.
"""

import time

import numpy as np

from reincarnate.leaderboard import bootstrap

METHODS, TASKS, RUNS, POINTS = 12, 10, 5, 41


def seconds(work) -> float:
    """Return the median of three goes, each with nothing cached."""
    taken = []
    for _ in range(3):
        bootstrap.counts.cache_clear()
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return sorted(taken)[1]


def main() -> None:
    rng = np.random.default_rng(0)
    ends = [rng.normal(number / 10, 0.3, size=(RUNS, TASKS)) for number in range(METHODS)]
    curves = [rng.normal(number / 10, 0.3, size=(RUNS, TASKS, POINTS)) for number in range(METHODS)]
    thresholds = np.linspace(0.0, 2.0, 101)

    def aggregates():
        for scores in ends:
            bootstrap.estimates(scores)
            bootstrap.improvement(scores, ends[0])
            bootstrap.profile(scores, thresholds)

    def bare():
        for scores in ends:
            rows = rng.integers(RUNS, size=(bootstrap.DRAWS, RUNS, TASKS))
            flat = np.sort(scores[rows, np.arange(TASKS)].reshape(bootstrap.DRAWS, -1), axis=1)
            flat[:, 12:38].mean(axis=1)

    print(f"{METHODS} methods x {TASKS} tasks x {RUNS} runs, {bootstrap.DRAWS:,} resamples")
    print(f"  all aggregates, profiles of {len(thresholds)} points: {seconds(aggregates):6.2f} s  (limit 4 s)")
    print(f"  bare: the IQM alone, by sorting every resample:   {seconds(bare):6.2f} s")
    taken = seconds(lambda: [bootstrap.curve(scores) for scores in curves])
    print(f"  curves of {POINTS} points, {bootstrap.DRAWS:,} resamples:          {taken:6.2f} s  (limit 5 s)")


if __name__ == "__main__":
    main()
