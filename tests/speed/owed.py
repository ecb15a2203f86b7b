"""RLPD's 20 updates a step in one call of the device, beside one by one, on batches of HalfCheetah's shapes.

Four ways in turns: every update whole and a call of its own; 19 of 20 without the actor, each a call of its own; these
19 in one call, as the loop does it; and all of them whole in one call. The limit beside them: the products of matrices
that no update of the critics can do without, forward and back, and forward for the targets. Prints a JSON line with
CPU seconds and seconds an update, each the median of its rounds, and how many times as fast each is as the first.

    python tests/speed/owed.py [--rounds 5] [--members 10] [--batch 256] [--width 256] [--owed 20]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reincarnate.agents import keywords
from reincarnate.agents.learner import init_learner, key_of, make_update, owned, several
from reincarnate.agents.method import Architecture, Progress
from reincarnate.agents.networks import build
from reincarnate.datasets.transition import Batch, Box

SEEN, BOX = 17, Box((-1.0,) * 6, (1.0,) * 6)


def batch_of(size: int) -> Any:
    rng, real = np.random.default_rng(0), np.ones(size, np.float32)
    window = rng.normal(size=(size, 2, SEEN)).astype(np.float32)
    action = rng.uniform(-1, 1, (size, BOX.size)).astype(np.float32)
    return Batch(window, np.ones(size, np.int32), action, real, 0.99 * real, real, real, real)


def limit(given: argparse.Namespace, ins: int) -> Callable[[], Any]:
    """Return what multiplies the matrices of 20 updates of critics with two hidden layers, and nothing else."""
    key, shape = jax.random.key(0), (given.members, given.batch, given.width)
    seen, hidden = jnp.ones((given.members, given.batch, ins)), jax.random.normal(key, shape)
    first, second = jnp.ones((given.members, ins, given.width)), jnp.ones((given.members, *(given.width,) * 2))

    @jax.jit
    def products(seen, hidden, first, second):
        back = hidden.swapaxes(1, 2)
        learned = seen @ first, hidden @ second, seen.swapaxes(1, 2) @ hidden, back @ hidden, hidden @ second.mT
        return learned, seen[:2] @ first[:2], hidden[:2] @ second[:2]

    return lambda: [products(seen, hidden, first, second) for _ in range(given.owed)]


def ways(given: argparse.Namespace) -> dict[str, Any]:
    """Return what makes all owed updates of a learner, by name."""
    settings = {"base": "sac", "members": given.members, "batch_size": given.batch, "delay": given.owed}
    method = keywords.make("rlpd", {**settings, "network": f"actor_critic:width={given.width},depth=2"})
    net, batch = build(method.network(Architecture("mlp"), None), BOX), batch_of(given.batch)
    whole, light = (
        make_update(method, net.apply, net.apply, donate=True, actions=BOX, light=light) for light in (False, True)
    )
    now = Progress(*(np.float32(x) for x in (0, 0.5, 1e6, 0, 0)), key=key_of(0, 1))
    stacked = {
        count: jax.tree.map(lambda x, n=count: np.stack([x] * n), (batch, now))
        for count in (given.owed, given.owed - 1)
    }
    lights, wholes = several(light), several(whole)

    def each(learner, first):
        for number in range(given.owed):
            learner = (whole if number == given.owed - 1 else first)(learner, (), batch, now)[0]
        return learner

    def together(learner):
        return whole(lights(learner, (), *stacked[given.owed - 1])[0], (), batch, now)[0]

    bare = limit(given, SEEN + BOX.size)
    learner = init_learner(method, net.init(jax.random.key(0), batch.window[:, :1]))
    return {
        "learner": learner,
        "whole, one by one": lambda one: each(one, whole),
        "without the actor, one by one": lambda one: each(one, light),
        "without the actor, in one call": together,
        "whole, in one call": lambda one: wholes(one, (), *stacked[given.owed])[0],
        "limit": lambda _: bare(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, default in (("rounds", 5), ("members", 10), ("batch", 256), ("width", 256), ("owed", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    found = ways(given)
    start = found.pop("learner")
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for number in range(given.rounds + 1):
        for name, make in found.items():
            learner = jax.block_until_ready(owned(start))
            before = time.process_time(), time.perf_counter()
            jax.block_until_ready(make(learner))
            if number:  # the first compiles
                spent[name].append((time.process_time() - before[0], time.perf_counter() - before[1]))
    cpu, wall = (
        {name: statistics.median(x[k] for x in each) / given.owed for name, each in spent.items()} for k in (0, 1)
    )
    first = cpu["whole, one by one"]
    told = {"cpu_seconds": cpu, "seconds": wall, "times": {name: first / each for name, each in cpu.items()}}
    print(json.dumps({**vars(given), "device": jax.devices()[0].device_kind, **told}))


if __name__ == "__main__":
    main()
