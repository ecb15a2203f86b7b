"""How fast evaluation plays Pong, beside the environments alone and the network alone in the same run.

    python tests/speed/evaluate.py [--environments 8] [--steps 1500] [--rounds 3]

One JSON line: frames a second of each, and what share evaluation reaches of what the two allow one after the other.
"""

import argparse
import json
import statistics
import time

import jax
import numpy as np

from reincarnate.agents.method import Architecture
from reincarnate.agents.networks import build
from reincarnate.benchmark import machine
from reincarnate.benchmark.evaluation.episodes import evaluate, make_greedy
from reincarnate.benchmark.tasks.environments import blocks, make, seeds
from reincarnate.benchmark.tasks.task import find


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=int, default=8)
    parser.add_argument("--network", default="nature")
    parser.add_argument("--steps", type=int, default=1_500, help="agent steps of each environment and part of a round")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    n, task = asked.environments, find("atari/Pong")._replace(max_steps=asked.steps)  # whole episodes, all as long
    seed = seeds("test", 0, n)
    net = build(Architecture(asked.network), make(task, seed).actions)
    obs = make(task, seed).observe()
    params = net.init(jax.random.key(0), obs[:1])
    greedy = make_greedy(net.apply)
    greedy(params, obs)
    frames = n * asked.steps * task.frame_skip
    rates: dict[str, list[float]] = {"evaluation": [], "environments": [], "network": [], "share": []}

    def timed(name: str, call) -> None:
        started = time.perf_counter()
        call()
        rates[name].append(frames / (time.perf_counter() - started))

    def environments() -> None:
        env = make(task, seed)
        for _ in range(asked.steps):
            env.step(np.zeros(n, int))

    def network() -> None:
        for _ in range(asked.steps):
            greedy(params, obs)

    for _ in range(asked.rounds):  # in turns, so that all see the same machine
        timed("environments", environments)
        timed("network", network)
        timed("evaluation", lambda: evaluate(lambda seen: greedy(params, seen), blocks(task, seed), 0.001, seed))
        allowed = 1.0 / (1.0 / rates["environments"][-1] + 1.0 / rates["network"][-1])
        rates["share"].append(rates["evaluation"][-1] / allowed)
    told = {name: round(statistics.median(values), 3) for name, values in rates.items()}
    what = {"what": "evaluation of Pong, frames a second", "network": asked.network, "environments": n}
    print(json.dumps({**what, **told, "shares": [round(x, 3) for x in rates["share"]], **machine.describe()}))


if __name__ == "__main__":
    main()
