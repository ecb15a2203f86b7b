"""All that is worth knowing of an accelerator, in under 8 minutes, as one JSON line for each measurement.

    python tests/speed/accelerator.py [--minutes 8] [--short]

The peak of products of matrices in float32 and bfloat16; updates/s of the Nature, Impala and MinAtar networks in both
and their share of that peak; online steps/s of Pong with the phases of the loop; frames/s of an evaluation; MinAtar's
Breakout by the ordinary loop and fused, for 1, 5, 15 and 45 seeds together. What the time does not suffice for is named
as left out, and what fails as failed; the rest goes on. `--short`: as little of each as shows that it works.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from peak import peak  # beside this script

from reincarnate.agents import keywords
from reincarnate.agents.learner import init_learner, key_of, make_update, owned
from reincarnate.agents.method import Architecture, Progress
from reincarnate.agents.networks import build, parse_network
from reincarnate.agents.teacher import absent
from reincarnate.benchmark import machine
from reincarnate.benchmark.evaluation.episodes import evaluate, make_greedy
from reincarnate.benchmark.sweep.together import together
from reincarnate.benchmark.tasks.environments import blocks, make, on_device, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training.budget import Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.observer import Snapshot
from reincarnate.benchmark.training.programs import blank_batch
from reincarnate.benchmark.training.weaning import Validation

NOW = Progress(*(np.float32(x) for x in (0, 0.5, 1e6, 0, 0)), key=key_of(0, 1), updates=np.float32(1e5))
KINDS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
SEEDS = (1, 5, 15, 45)
LONGEST = 45  # seconds that one more measurement may take
Told = dict[str, Any]


def peaks(short: bool) -> Iterator[Told]:
    """Measure products of matrices."""
    for name, kind in KINDS.items():
        yield {"what": "peak", "kind": name, "flops/s": peak(0.1 if short else 2.0, 512 if short else 8192, kind)}


def updates(short: bool) -> Iterator[Told]:
    """Make one donated update of `dqn` after the other, batches from the host as in a run."""
    best = {name: peak(0.1 if short else 1.0, 512 if short else 8192, kind) for name, kind in KINDS.items()}
    method = keywords.make("dqn", {})
    for network in ("nature", "impala", "minatar"):
        task = find("minatar/breakout" if network == "minatar" else "atari/Pong")
        shape = (1, 1, 10, 10, 4) if network == "minatar" else (1, task.stack, 84, 84)
        obs = np.zeros(shape, bool if network == "minatar" else np.uint8)
        for kind in KINDS:
            net = build(parse_network(f"{network}:bfloat16={str(kind == 'bfloat16').lower()}"), 6)
            learner = owned(init_learner(method, jax.jit(net.init)(jax.random.key(0), obs)))
            update, batch = (
                make_update(method, net.apply, absent().apply, donate=True, actions=6),
                blank_batch(obs, method, 6),
            )
            flops = float((update.lower(learner, (), batch, NOW).cost_analysis() or {})["flops"])
            learner, count = jax.block_until_ready(update(learner, (), batch, NOW)[0]), 0
            started = time.perf_counter()
            while time.perf_counter() - started < (0.2 if short else 3.0):
                for _ in range(1 if short else 20):
                    learner, _ = update(learner, (), batch, NOW)
                    count += 1
                jax.block_until_ready(learner)
            rate = count / (time.perf_counter() - started)
            told = {"what": "updates/s", "network": network, "kind": kind, "updates/s": round(rate, 1), "flops": flops}
            yield told | {"share of peak": round(rate * flops / best[kind], 4)}


def pong(short: bool) -> Iterator[Told]:
    """Train online on Pong, with the Nature network."""
    task, steps = find("atari/Pong"), 160 if short else 8000
    method = keywords.make("dqn", {"warmup": 64 if short else 800})
    half = training(task, method, Architecture("nature"), steps, 0, lambda: make(task, seeds("train", 0, 8)))
    yield {"what": "online steps/s", "task": task.name, **half}


def evaluation(short: bool) -> Iterator[Told]:
    """Play whole episodes of Pong, cut to as many steps each."""
    steps = 30 if short else 1000
    task, n = find("atari/Pong")._replace(max_steps=steps), 20
    seed, net = seeds("test", 0, n), build(Architecture("nature"), 6)
    obs = make(task, seed).observe()
    params, greedy = jax.jit(net.init)(jax.random.key(0), obs[:1]), make_greedy(net.apply)
    greedy(params, obs)  # compiles it
    started = time.perf_counter()
    played = evaluate(partial(greedy, params), blocks(task, seed), 0.001, seed)
    passed = time.perf_counter() - started
    frames = sum(played.lengths) * task.frame_skip
    yield {"what": "evaluation frames/s", "task": task.name, "frames/s": round(frames / passed)}


def training(
    task: Any, method: Any, architecture: Architecture, steps: int, seed: int, env: Any, worker: Any = None
) -> Told:
    """Train, and tell of the second half, when everything has been compiled."""
    what = Training(task, method, architecture, absent(), None, seed, Budget(steps=steps), (0.5,))
    first, last = list(train(what, lambda _: env(), lambda params: Validation(0.0, 0.0, 30, 0), worker=worker))
    return between(first, last)


def between(first: Snapshot, last: Snapshot) -> Told:
    """Describe what lies between two snapshots."""
    seconds, steps = (last.spent[unit] - first.spent[unit] for unit in ("seconds", "steps"))
    phases = {name: round(last.phases[name] - first.phases[name], 3) for name in last.phases}
    return {"steps": steps, "seconds": round(seconds, 3), "steps/s": round(steps / seconds, 1), "phases": phases}


def many(short: bool, fused: bool) -> Iterator[Told]:
    """Train seeds of MinAtar's Breakout together; a second of theirs is divided between those of a device."""
    task, place = find("minatar/breakout"), on_device if fused else make
    steps = (1200 if short else 30_000) if fused else (480 if short else 4800)
    method = keywords.make("dqn", {"warmup": 200, "replay_capacity": 100_000})
    for count in SEEDS[:2] if short else SEEDS:

        def one(seed: int) -> Callable[[Any], Told]:
            env = partial(place, task, seeds("train", seed, 8))
            return lambda worker: training(task, method, Architecture("minatar"), steps, seed, env, worker)

        ended = together([one(seed) for seed in range(count)])
        for fault in ended:
            if isinstance(fault, BaseException):
                raise fault
        passed = sum(told["seconds"] for told in ended) / min(len(jax.local_devices()), count)
        rate = sum(told["steps"] for told in ended) / passed
        yield {"what": "fused" if fused else "loop", "seeds": count, "steps/s of all": round(rate, 1), **ended[0]}


PARTS: tuple[Callable[[bool], Iterator[Told]], ...] = (
    peaks,
    updates,
    partial(many, fused=True),
    pong,
    evaluation,
    partial(many, fused=False),
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=8.0)
    options.add_argument("--short", action="store_true")
    asked = options.parse_args()
    began = time.perf_counter()
    print(json.dumps({"what": "machine", "devices": list(map(str, jax.devices())), **machine.describe()}), flush=True)
    for part in PARTS:
        name = part.args or part.keywords if isinstance(part, partial) else part.__name__
        told: Iterator[Told] = part(asked.short)
        while True:
            if time.perf_counter() - began > 60 * asked.minutes - (
                0 if asked.short else 45
            ):  # one more may take as long
                print(json.dumps({"what": "left out", "part": str(name)}), flush=True)
                break
            try:
                line = next(told, None)
            except Exception as error:
                line = {"what": "failed", "part": str(name), "why": f"{type(error).__name__}: {error}"[:500]}
            if line is None:
                break
            print(json.dumps({**line, "at": round(time.perf_counter() - began, 1)}), flush=True)


if __name__ == "__main__":
    main()
