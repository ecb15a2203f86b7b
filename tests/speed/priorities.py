"""Microseconds of one prioritised draw and the update of its priorities, in a full replay of a million rows.

Prints one JSON line.

    python tests/speed/priorities.py [--rows 1000000] [--batch 32] [--rounds 5]
"""

import argparse
import json
import statistics
import time

import numpy as np

from reincarnate.datasets.replay.priorities import Priorities


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    rng, priorities = np.random.default_rng(0), Priorities(chosen.rows)
    for rows in np.array_split(np.arange(chosen.rows), 1000):
        priorities.set(rows, rng.random(len(rows)))
    fresh, times = rng.random((1000, chosen.batch)), []
    for _ in range(chosen.rounds):
        started = time.perf_counter()
        for new in fresh:
            priorities.set(priorities.draw(rng, chosen.batch), new)
        times.append((time.perf_counter() - started) / len(fresh) * 1e6)
    result = {"what": f"draw and update {chosen.batch} of {chosen.rows:,} rows, microseconds"}
    print(json.dumps(result | {"median": round(statistics.median(times), 1), "best": round(min(times), 1)}))


if __name__ == "__main__":
    main()
