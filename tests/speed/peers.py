"""Races scripts of CleanRL with this package on one task: agent steps and updates a second, one after the other.

    python tests/speed/peers.py CHECKOUT [--python PYTHON] [--scripts dqn_atari.py,dqn_atari_jax.py] [--rounds 4]
        [--every 4]
    python tests/speed/peers.py CHECKOUT --task mujoco/HalfCheetah-v5 --scripts sac_continuous_action.py --steps 6000

CHECKOUT is a folder with CleanRL's repository, PYTHON an interpreter that has what its scripts import. These are run as
they are, but for what Gymnasium 1.0 named or handed on differently. Each round trains all once, ours first, each in a
process of its own. In ALE: batch 32, the Nature network, an update for `--every` 4 steps, epsilon 0.01 so that every
step acts. With `--every 1` the updates are all but a few percent of the work, as on a log, which CleanRL's scripts
cannot read. With continuous actions: soft actor-critic, batch 256, width 256, an update a step, as both do by default.
All are timed from outside, from the first line that tells of their progress to the last, so that starting, compiling
and evaluating do not count; CPU seconds of the process beside those by the clock. Prints a JSON line for each, at the
end the ratios, round by round, and what products of matrices reach on this machine in between.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from peak import peak  # beside this script

NAMES = """
import runpy, sys, warnings
import gymnasium as gym
try:
    import ale_py
    gym.register_envs(ale_py)
except ImportError:
    pass
made = gym.wrappers
if not hasattr(made, "FrameStack"):
    made.FrameStack, made.GrayScaleObservation = made.FrameStackObservation, made.GrayscaleObservation
if "continuous" in sys.argv[2]:
    class Envs(gym.vector.SyncVectorEnv):
        def __init__(self, makers):
            super().__init__(makers, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)

        def step(self, actions):
            *rest, infos = super().step(actions)
            if "final_obs" in infos:
                infos = {"final_observation": infos["final_obs"]}
            return *rest, infos

    gym.vector.SyncVectorEnv = Envs
sys.path.insert(0, sys.argv.pop(1))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
WARM = 400  # steps before the first update, and then as many as compile and fill caches


class Timed(NamedTuple):
    """The work of a process between two lines."""

    steps: float
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Return steps a second."""
        return self.steps / self.seconds


def told(line: str) -> float | None:
    """Return the steps that a line tells of: ours say it, those of CleanRL come every 100 steps (then 0)."""
    if line.startswith("SPS:"):
        return 0.0
    if line.startswith("{") and '"status"' in line and '"seconds_left": null' not in line:
        return float(json.loads(line)["spent"]["steps"])
    return None


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def seen(command: list[str], folder: str, variables: dict[str, str]) -> Iterator[tuple[float, float, float]]:
    """Yield (steps, seconds, CPU seconds) for each line of a process that tells of its progress."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **variables}, **both)
    assert process.stdout
    last: list[str] = []
    for line in process.stdout:
        last = [*last[-9:], line]
        steps = told(line)
        if steps is not None:
            yield steps, time.perf_counter(), cpu(process.pid)
    if process.wait():
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{''.join(last)}")


def timed(command: list[str], folder: str, variables: dict[str, str]) -> Timed:
    """Run a process to its end, and time it from the second line that tells of its progress to the last."""
    lines = list(seen(command, folder, variables))[1:]
    if len(lines) < 2:
        raise RuntimeError("there is nothing to time: give more --steps")
    (first, began, before), (last, ended, after) = lines[0], lines[-1]
    return Timed(last - first or 100.0 * (len(lines) - 1), ended - began, after - before)


def ours(steps: int, seed: int, task: str, every: int) -> list[str]:
    """Return the command of our run."""
    settings: dict[str, float] = {"warmup": WARM, "explore": WARM}
    if pixels := task.startswith("atari/"):
        settings |= {"explore": 1, "epsilon": 0.01, "updates_per_step": 1.0 / every, "batch_size": 32}
    words = ["reincarnate", "run", "--task", task, "--method", "dqn" if pixels else "sac", "--budget", f"steps={steps}"]
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    words += ["--seed", str(seed), "--environments", "1", "--episodes", "1", "--points", "1", "--json", "--out", "run"]
    main = f"import sys; sys.argv = {words}; from reincarnate.benchmark.cli.main import main; main()"
    return [sys.executable, "-u", "-c", main]


def theirs(script: Path, python: str, steps: int, seed: int, task: str, every: int) -> list[str]:
    """Return the command of a script of CleanRL."""
    family, _, game = task.partition("/")
    named = f"{game}NoFrameskip-v4" if family == "atari" else game
    words = [python, "-u", "-c", NAMES, str(script.parents[1]), str(script), "--env-id", named]
    numbers: dict[str, float] = {"total-timesteps": steps, "learning-starts": WARM, "seed": seed}
    if family == "atari":
        numbers |= {"buffer-size": 30_000, "start-e": 0.01, "train-frequency": every}
    return words + [word for name, value in numbers.items() for word in (f"--{name}", str(value))]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkout", type=Path)
    options.add_argument("--python", default=sys.executable)
    options.add_argument("--scripts", default="dqn_atari.py,dqn_atari_jax.py")
    options.add_argument("--steps", type=int, default=3000)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--task", default="atari/Pong")
    options.add_argument("--every", type=int, default=4, help="steps for an update")
    asked = options.parse_args()
    scripts = [name for name in asked.scripts.split(",") if re.fullmatch(r"[\w.]+\.py", name)]
    rounds: dict[str, list[Timed]] = {name: [] for name in ("ours", *scripts)}
    for number in range(asked.rounds):
        print(json.dumps({"what": "peak of products", "flops/s": round(peak(1.0, 1024, "float32"))}), flush=True)
        for name, done in rounds.items():
            more = {"JAX_PLATFORMS": "cpu"} if name == "ours" else {"PYTHONPATH": os.environ.get("PEERPATH", "")}
            work = asked.steps, number, asked.task, asked.every
            script = asked.checkout.absolute() / "cleanrl" / name
            command = ours(*work) if name == "ours" else theirs(script, asked.python, *work)
            with tempfile.TemporaryDirectory() as folder:
                done.append(timed(command, folder, more))
            one = {"steps/s": round(done[-1].rate, 1), "cores": round(done[-1].cpu / done[-1].seconds, 2)}
            one |= {"cpu_ms_a_step": round(1e3 * done[-1].cpu / done[-1].steps, 2)}
            print(json.dumps({"what": name, "round": number, **one}), flush=True)
    for name in scripts:
        pairs = list(zip(rounds["ours"], rounds[name], strict=True))
        ratios = sorted(us.rate / them.rate for us, them in pairs)
        cheaper = sorted((them.cpu / them.steps) / (us.cpu / us.steps) for us, them in pairs)
        middle = {"ratio": statistics.median(ratios), "least": ratios[0], "most": ratios[-1]}
        middle |= {"cpu_ratio": statistics.median(cheaper)}
        print(json.dumps({"what": f"ours / {name}", **{key: round(value, 2) for key, value in middle.items()}}))


if __name__ == "__main__":
    main()
