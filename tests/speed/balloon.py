"""Steps a CPU second of the balloon's two simulators: ours with many balloons, the genuine one with one, in turns.

    OMP_NUM_THREADS=1 python tests/speed/balloon.py [--balloons 64] [--rounds 5]

Both are past the sixth hour of their episodes, from which a step costs most, and take the same random actions. One JSON
line: CPU milliseconds of a step of one balloon in each, medians of the rounds, and the median of the rounds' ratios.
Needs the balloon's wheel.
"""

import argparse
import json
import statistics
import time

import numpy as np

from reincarnate.benchmark import machine
from reincarnate.benchmark.tasks.environments import Environment, make
from reincarnate.benchmark.tasks.task import find

FULL = 120  # steps until an episode's measurements of the wind fill its memory


def spent(env: Environment, steps: int, chance: np.random.Generator) -> float:
    """Return the CPU milliseconds of a step of one balloon."""
    started = time.process_time()
    for _ in range(steps):
        env.step(chance.integers(3, size=env.n))
    return (time.process_time() - started) * 1e3 / steps / env.n


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--balloons", type=int, default=64)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--steps", type=int, default=10, help="of all balloons in a round; of the genuine one, twice")
    asked = options.parse_args()
    ours = make(find("balloon/station_keeping"), np.arange(asked.balloons))
    genuine = make(find("balloon/station_keeping_genuine"), np.array([0]))
    chance = np.random.default_rng(0)
    for env in (ours, genuine):
        spent(env, FULL, chance)
    times = [(spent(ours, asked.steps, chance), spent(genuine, 2 * asked.steps, chance)) for _ in range(asked.rounds)]
    mine, theirs = [round(statistics.median(column), 3) for column in zip(*times, strict=True)]
    ratio = statistics.median(b / a for a, b in times)
    what = {"what": "a balloon's step, CPU milliseconds", "balloons": asked.balloons}
    print(json.dumps({**what, "ours": mine, "genuine": theirs, "ratio": round(ratio, 1), **machine.describe()}))


if __name__ == "__main__":
    main()
