"""How many games of MinAtar are stepped a second, beside the package `minatar` with the same actions, in one run.

`python tests/speed/games.py [--environments 1,8,20,128]` prints one line of JSON: for each game and number of
environments, steps of an environment a second of CPU time for ours and for the package, what both show included, and
their ratio; the two take turns, and the medians of the rounds count.
"""

import argparse
import json
import statistics
import time

import numpy as np
from minatar import Environment

from reincarnate.benchmark.tasks.environments import make
from reincarnate.benchmark.tasks.minatar_envs import MINATAR
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.transition import outputs

ROUNDS, SECONDS = 7, 0.15


class Genuine:
    """MinAtar's own games, stepped one after another, as this project did before it had its own."""

    def __init__(self, name: str, n: int):
        self._games = [Environment(name, sticky_action_prob=0.1) for _ in range(n)]
        for seed, game in enumerate(self._games):
            game.seed(seed)
            game.reset()
        self._moves = self._games[0].minimal_action_set()

    def step(self, actions: np.ndarray) -> None:
        told = [game.act(self._moves[a]) for game, a in zip(self._games, actions, strict=True)]
        np.stack([game.state() for game in self._games])
        over = [number for number, (_, ended) in enumerate(told) if ended]
        for number in over:
            self._games[number].reset()
        if over:
            np.stack([game.state() for game in self._games])


def rate(env, actions: np.ndarray) -> float:
    """Return environment steps a second of CPU time."""
    begun, steps = time.process_time(), 0
    while time.process_time() - begun < SECONDS:
        for chosen in actions[steps % 500 : steps % 500 + 20]:
            env.step(chosen)
        steps += 20
    return steps * actions.shape[1] / (time.process_time() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", default="1,8,20,128")
    numbers = [int(n) for n in parser.parse_args().environments.split(",")]
    found: dict[str, dict] = {}
    for name in MINATAR:
        for n in numbers:
            ours, package = make(find(f"minatar/{name}"), np.arange(n)), Genuine(name, n)
            actions = np.random.default_rng(0).integers(outputs(ours.actions), size=(520, n))
            rates = [(rate(ours, actions), rate(package, actions)) for _ in range(ROUNDS)]
            own, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
            ratio = statistics.median(one / other for one, other in rates)
            found.setdefault(name, {})[n] = {"ours": round(own), "package": round(theirs), "ratio": round(ratio, 2)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
