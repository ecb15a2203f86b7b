"""Online agent steps/s of the harness on Pong with the Nature CNN, beside a bare loop, in turns in one process.

The bare loop does nothing but act, env.step and update, on fixed arrays: no replay, no counting, no watching. It is
the best known here: its learner is donated, and each action is asked for before the updates, which the device computes
while the environments step. Prints one JSON line, with the cores that each used and what products of matrices reach.

    python tests/speed/train.py [--rounds 6] [--steps 1600]
"""

import argparse
import json
import resource
import statistics
import time

import jax
import numpy as np

from reincarnate.agents import keywords
from reincarnate.agents.learner import init_learner, key_of, make_act, make_update, owned
from reincarnate.agents.method import Architecture, Clock, Progress
from reincarnate.agents.networks import build
from reincarnate.agents.teacher import absent
from reincarnate.benchmark.tasks.environments import make, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training.budget import Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.weaning import Validation
from reincarnate.datasets.transition import Batch

from peak import peak  # isort: skip  # beside this script

ENVIRONMENTS = 8


def bare(task, method, architecture):
    """Return loop(steps) -> seconds, compiled and warm."""
    env = make(task, seeds("log", 0, ENVIRONMENTS))
    net = build(architecture, env.actions)
    update = make_update(method, net.apply, absent().apply, donate=True)
    act = make_act(method, net.apply, absent().apply)
    learner = owned(init_learner(method, net.init(jax.random.key(0), env.observe()[:1])))
    whole, real = np.ones(method.batch_size, np.int32), np.zeros(method.batch_size, np.float32)
    window = np.random.default_rng(0).integers(0, 255, (method.batch_size, 4 + method.n_step, 84, 84)).astype(np.uint8)
    batch = Batch(window, whole, whole, real, real, real)
    now = Progress(*(np.float32(x) for x in (0, 0.5, 1e6, 0, 0)), key=key_of(0, 1))
    clock = Clock(np.arange(ENVIRONMENTS, dtype=np.int32), np.zeros(ENVIRONMENTS, np.int32))
    each = round(ENVIRONMENTS * method.updates_per_step)

    def loop(steps: int) -> float:
        nonlocal learner
        started = time.perf_counter()
        for _ in range(steps // ENVIRONMENTS):
            action = np.asarray(act(learner.params, (), env.observe(), clock, now))
            for _ in range(each):  # these return at once
                learner, _ = update(learner, (), batch, now)
            env.step(action)
        jax.block_until_ready(learner.params)
        return time.perf_counter() - started

    loop(4 * ENVIRONMENTS)
    return loop


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=6)
    options.add_argument("--steps", type=int, default=1600, help="agent steps a round")
    chosen = options.parse_args()
    task, architecture = find("atari/Pong"), Architecture("nature")
    method = keywords.make("dqn", {"warmup": 200})
    loop = bare(task, method, architecture)
    total = (chosen.rounds + 1) * chosen.steps
    shares = [number / (chosen.rounds + 1) for number in range(1, chosen.rounds + 1)]
    snapshots = train(
        Training(task, method, architecture, absent(), None, 0, Budget(steps=total), shares),
        lambda number: make(task, seeds("train", 0, ENVIRONMENTS)),
        lambda params: Validation(0.0, 0.0, 30, 0),
    )
    before = next(snapshots).spent  # compiled and warm from here on
    harness, floor, cores = [], [], []
    worked = time.process_time()
    for snapshot in snapshots:
        jax.block_until_ready(snapshot.params)
        steps, seconds = (snapshot.spent[unit] - before[unit] for unit in ("steps", "seconds"))
        harness.append(steps / seconds)
        before, turned = snapshot.spent, time.process_time()
        took = loop(chosen.steps)
        cores.append(((turned - worked) / seconds, (time.process_time() - turned) / took))
        worked = time.process_time()
        floor.append(chosen.steps / took)
    ratios = [mine / bare for mine, bare in zip(harness, floor, strict=True)]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result = {
        "what": "online agent steps/s, Pong, Nature CNN, 8 environments, one update in 4 steps",
        "harness": round(statistics.median(harness), 1),
        "bare": round(statistics.median(floor), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "cores": [round(statistics.median(each), 2) for each in zip(*cores, strict=True)],
        "products, FLOPs/s": round(peak()),
        "peak_bytes": most,
        "frames_bytes": total * 7056,
        "device": jax.devices()[0].device_kind,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
