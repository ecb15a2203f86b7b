"""How fast `log` collects with a Nature network, beside what it needs: the part `collect` of data.py."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.networks import build
from reincarnate.benchmark.prior import collect
from reincarnate.benchmark.tasks.environments import make, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.rlds.write import Layout, LogWriter
from reincarnate.datasets.transition import outputs

from peak import peak  # isort: skip  # beside this script

TIMES = 300


def collecting(place: Path, n: int) -> dict[str, Any]:
    """Measure steps a second of n environments, of the network on their observations, of both in turn and at once, and
    of `log`. At once: in two threads, neither of which waits for the other."""
    task = find("atari/Pong")
    env, rng = make(task, seeds("log", 0, n)), np.random.default_rng(0)
    net = build(Architecture("nature"), env.actions)
    params, values = net.init(jax.random.key(0), env.observe()), jax.jit(net.apply)
    seen = env.observe().copy()
    np.asarray(values(params, seen))
    ways: dict[str, Callable[[], object]] = {
        "environments": lambda: env.step(rng.integers(outputs(env.actions), size=n)),
        "network": lambda: np.asarray(values(params, seen)),
        "both": lambda: env.step(np.asarray(values(params, env.observe())).argmax(axis=1)),
    }
    speed = {name: n * TIMES / _seconds(do) for name, do in ways.items()}
    speed["both at once"] = n * TIMES / _at_once(ways["environments"], ways["network"])
    told: list[tuple[float, float]] = []

    class Bar:
        def to(self, done, note="", transitions=0.0):
            told.append((time.perf_counter(), transitions))

    bar: Any = Bar()
    layout = Layout(teacher_values=True, behavior_epsilon=True)
    with LogWriter(place / f"collected{n}", "pong", env.observe()[0, -1], env.actions, layout) as writer:
        player = collect.Player(Teacher(Architecture("nature"), net.apply, params), "nobody")
        share = collect._Share(0, seeds("log", 0, n), 1200 * n, True)
        collect._play(task, player, share, 0.01, writer, bar, collect._Clock(place / f"attempts{n}", {}, 0.0))
    begin, end = told[len(told) // 10], told[len(told) * 6 // 10]  # without compiling, and while all of them play
    speed["log"] = (end[1] - begin[1]) / (end[0] - begin[0])
    shares = {f"share_of_{name}": round(speed["log"] / speed[name], 2) for name in ("both", "both at once")}
    shares["products, FLOPs/s"] = round(peak())
    return {"a_second": {name: round(rate) for name, rate in speed.items()}, **shares}


def _at_once(*ways: Callable[[], object]) -> float:
    """Return the seconds until each has been done so many times, in threads of their own."""
    threads = [threading.Thread(target=_seconds, args=(do,)) for do in ways]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def _seconds(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(TIMES):
        do()
    return time.perf_counter() - started
