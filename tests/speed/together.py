"""Seconds for some seeds of one cell, from the start of the first process to the end of the last, by several ways.

Processes as a sweep starts them, one or two at once, with XLA's threads pinned or not; all seeds in one process, one
after another; all together, by one unrolled program or by vmap. `--cold`: nothing is compiled yet, and nothing is kept
for the next process; else the sweep's cache of programs has been filled by an untimed run. Prints one JSON line each.

    python tests/speed/together.py [--ways one,two,free,serial,unrolled,vmap] [--seeds 4] [--steps 6000] [--cold]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reincarnate.benchmark.sweep.cell import Needs, environment
from reincarnate.leaderboard.record import load

WAYS = {  # name -> (processes at once, how a process does its seeds, whether it has all of them, cores of each)
    "one": (1, "alone", False, 1),
    "two": (2, "alone", False, 1),
    "free": (2, "alone", False, 0),  # XLA's threads are as many as there are cores
    "serial": (1, "alone", True, 1),
    "unrolled": (1, "unrolled", True, 1),
    "unrolled2": (1, "unrolled", True, 2),
    "vmap": (1, "mapped", True, 1),
    "vmap2": (1, "mapped", True, 2),
}


def work(task: str, how: str, seeds: list[int], steps: int, out: Path) -> None:
    """Return what a process does."""
    from reincarnate.benchmark.runs.run import run
    from reincarnate.benchmark.sweep import together

    def of(seed: int):
        options = {"settings": {"warmup": 500}, "points": [1.0], "episodes": 1, "threads": 1}
        return lambda worker: run(task, "dqn", f"steps={steps}", seed, out=out / str(seed), worker=worker, **options)

    if how == "alone":
        for seed in seeds:
            of(seed)(None)
    else:
        faults = together.together([of(seed) for seed in seeds], getattr(together, how))
        for fault in faults:
            if isinstance(fault, BaseException):
                raise fault


def measure(way: str, task: str, seeds: int, steps: int, folder: Path, cold: bool = False) -> dict:
    """Do it once."""
    at_once, how, all_of_them, cores = WAYS[way]
    variables = environment(Needs(cores)) if cores else {}
    variables |= {"JAX_ENABLE_COMPILATION_CACHE": "false"} if cold else {"REINCARNATE_CACHE": str(folder)}
    groups = [list(range(seeds))] if all_of_them else [[seed] for seed in range(seeds)]

    with tempfile.TemporaryDirectory() as out:

        def go(group: list[int]) -> None:
            words = [sys.executable, __file__, "--work", how, task, str(steps), out, *map(str, group)]
            subprocess.run(words, env={**os.environ, **variables}, check=True)

        started = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(go, groups))
        seconds = time.perf_counter() - started
        ends = [load(Path(out) / str(seed) / "record.json").points[-1] for seed in range(seeds)]
    trained = sum(end.spent["seconds"] for end in ends)
    return {
        "way": way,
        "cache": "cold" if cold else "warm",
        "seeds": seeds,
        "steps": steps,
        "seconds": round(seconds, 2),
        "steps/s": round(seeds * steps / seconds),
        "training": round(trained, 2),  # the seeds' own seconds, which count each second once where they run together
        "students": [end.parameters[:8] for end in ends],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ways", default=",".join(WAYS))
    options.add_argument("--task", default="minatar/breakout")
    options.add_argument("--seeds", type=int, default=4)
    options.add_argument("--steps", type=int, default=6000, help="0: only fill the cache")
    options.add_argument("--cold", action="store_true")
    options.add_argument("--cache", default="", help="folder of compiled programs that have been kept")
    options.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.work:
        how, task, steps, out, *seeds = chosen.work
        return work(task, how, [int(seed) for seed in seeds], int(steps), Path(out))
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(chosen.cache or kept)
        for way in chosen.ways.split(","):
            if not chosen.cold and not (folder / way).exists():
                measure(way, chosen.task, chosen.seeds, 600, folder)  # compiles, untimed
                (folder / way).mkdir(parents=True)
            if chosen.steps:
                result = measure(way, chosen.task, chosen.seeds, chosen.steps, folder, chosen.cold)
                print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
