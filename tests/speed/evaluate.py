"""How fast evaluation plays Pong, beside the environments alone, the network alone, and both at once in the same run.

    python tests/speed/evaluate.py [--environments 20] [--steps 1500] [--rounds 3]

One JSON line: frames a second of each, what share evaluation reaches of what the two allow at once (the environments in
one thread and the network in another, neither waiting for the other) and one after the other, how many cores each used,
and what products of matrices reach in between.
"""

import argparse
import json
import statistics
import threading
import time

import jax
import numpy as np

from reincarnate.agents.method import Architecture
from reincarnate.agents.networks import build
from reincarnate.benchmark import machine
from reincarnate.benchmark.evaluation.episodes import evaluate, make_greedy
from reincarnate.benchmark.tasks.environments import blocks, make, seeds
from reincarnate.benchmark.tasks.task import find

from peak import peak  # isort: skip  # beside this script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=int, default=20)
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
    rates: dict[str, list[float]] = {}
    cores: dict[str, list[float]] = {}

    def timed(name: str, call) -> None:
        started, worked = time.perf_counter(), time.process_time()
        call()
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        rates.setdefault(name, []).append(frames / seconds)
        cores.setdefault(name, []).append(cpu / seconds)

    def environments(env) -> None:
        for _ in range(asked.steps):
            env.step(np.zeros(n, int))

    def network() -> None:
        for _ in range(asked.steps):
            greedy(params, obs)

    def both(env) -> None:
        other = threading.Thread(target=environments, args=(env,))
        other.start()
        network()
        other.join()

    def choose(seen: np.ndarray) -> np.ndarray:
        return greedy(params, seen)

    cores_here = machine.cores()
    evaluate(choose, blocks(task._replace(max_steps=8), seed), 0.001, seed)  # compiles
    for _ in range(asked.rounds):  # in turns, so that all see the same machine
        one, other = make(task, seed), make(task, seed)  # making and resetting them is not timed
        for env in (one, other):
            env.observe()
        timed("environments", lambda: environments(one))  # noqa: B023
        timed("network", network)
        timed("both at once", lambda: both(other))  # noqa: B023
        parts = blocks(task, seed, cores_here)
        timed("evaluation", lambda: evaluate(choose, parts, 0.001, seed, workers=cores_here))  # noqa: B023
    turns = zip(rates["evaluation"], rates["both at once"], rates["environments"], rates["network"], strict=True)
    shares = [(mine / limit, mine * (1.0 / play + 1.0 / think)) for mine, limit, play, think in turns]
    told = {
        "what": "evaluation of Pong, frames a second",
        "network": asked.network,
        "environments": n,
        "frames/s": {name: round(statistics.median(values)) for name, values in rates.items()},
        "share of both at once": round(statistics.median(share for share, _ in shares), 3),
        "share of one after the other": round(statistics.median(share for _, share in shares), 3),
        "cores used": {name: round(statistics.median(values), 2) for name, values in cores.items()},
        "peak of products, FLOPs/s": round(peak()),
    }
    print(json.dumps({**told, **machine.describe()}))


if __name__ == "__main__":
    main()
