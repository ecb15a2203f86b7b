"""Seconds until `reincarnate --help` is done, beside a Python that does nothing, and until a run has made one update.

python tests/speed/startup.py

Prints three JSON lines. The run is MinAtar's breakout with `dqn` and no warm-up, on one thread, from the start of its
process to its end after one step of 8 environments and their 2 updates, with one episode of each evaluation: first
with empty caches, then with what the first has kept. CPU seconds of it beside those by the clock.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from reincarnate.benchmark.sweep import grid
from reincarnate.benchmark.sweep.cell import Needs, environment

MAIN = "from reincarnate.benchmark.cli.main import main; main()"
HELP = [sys.executable, "-c", f"import sys; sys.argv = ['reincarnate', '--help']; {MAIN}"]
NOTHING = [sys.executable, "-c", "pass"]
RUN = "run --task minatar/breakout --method dqn --budget steps=8 --set warmup=0 --points 1 --episodes 1 --quiet"


def seconds(command: list[str], more: Mapping[str, str] = {}) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **more})
    return time.perf_counter() - started


def started(folder: str, number: int) -> tuple[float, float]:
    """Return the seconds of the run, and those of the CPU."""
    pins = {"NPROC": "1", "OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    words = ["reincarnate", *RUN.split(), "--out", f"{folder}/run{number}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = seconds(
        [sys.executable, "-c", f"import sys; sys.argv = {words}; {MAIN}"],
        {**pins, "JAX_PLATFORMS": "cpu", "REINCARNATE_CACHE": f"{folder}/caches"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cell(folder: str, steps: int, number: int) -> tuple[float, float]:
    """Return the CPU seconds of a cell's process, and its updates."""
    place = Path(folder) / f"sweep{steps}-{number}"
    place.mkdir()
    asked = grid.begin(place, grid.of("minatar/breakout", ("dqn",), (0,), {"budget": f"steps={steps}", "settings": {}}))
    variables = {**os.environ, **environment(Needs(1, 0.0, 0)), "REINCARNATE_CACHE": f"{folder}/caches"}
    command = [sys.executable, "-m", grid.__name__.replace("grid", "cell"), str(place), grid.cells(asked)[0].name]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=variables) as child:
        child.wait()  # it stops if its standard input is closed
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    record = json.loads(next(place.glob("cells/*/record.json")).read_text())
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return worked, record["points"][-1]["spent"]["updates"]


def cells(folder: str) -> dict[str, object]:
    cold = cell(folder, 6_000, 0)
    short, long = (min(cell(folder, steps, number) for number in (1, 2)) for steps in (6_000, 12_000))
    each = (long[0] - short[0]) / (long[1] - short[1])
    told = {"cold_cpu": round(cold[0], 2), "warm_cpu": round(short[0], 2)}
    return {
        "what": "a cell of 6,000 MinAtar steps",
        **told,
        "update_cpu_ms": round(1000 * each, 2),
        "fixed_cpu": round(short[0] - each * short[1], 2),
    }


def main() -> None:
    pairs = [(seconds(HELP), seconds(NOTHING)) for _ in range(11)][1:]
    result = {
        "what": "seconds of `reincarnate --help`",
        "median": round(statistics.median(pair[0] for pair in pairs), 3),
        "least": round(min(pair[0] for pair in pairs), 3),
        "python_alone": round(statistics.median(pair[1] for pair in pairs), 3),
    }
    print(json.dumps(result))
    with tempfile.TemporaryDirectory() as folder:
        cold, *warm = [started(folder, number) for number in range(4)]
        of_cells = cells(folder)
    told = {
        "what": "a run with one step and its updates",
        "cold": round(cold[0], 2),
        "cold_cpu": round(cold[1], 2),
        "warm": round(min(took for took, _ in warm), 2),
        "warm_cpu": round(min(cpu for _, cpu in warm), 2),
    }
    print(json.dumps(told))
    print(json.dumps(of_cells))


if __name__ == "__main__":
    main()
