"""How fast evaluation plays Pong, beside the environments alone, the network alone, and both at once in the same run.

    python tests/speed/evaluate.py [--environments 20] [--steps 1500] [--rounds 3] [--peer CHECKOUT --python PYTHON]

One JSON line: frames a second of each, what share evaluation reaches of what the two allow at once (the environments in
one thread and the network in another, neither waiting for the other) and one after the other, how many cores each used,
and what products of matrices reach in between. With a checkout of CleanRL and an interpreter that has what it imports,
CleanRL's own evaluation of its DQN in torch takes its turn in each round, as it is but for names of wrappers.
"""

import argparse
import json
import statistics
import subprocess
import sys
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

PEER = """
import json, runpy, sys, tempfile, time
import ale_py, gymnasium as gym, torch
gym.register_envs(ale_py)
made = gym.wrappers
if not hasattr(made, "FrameStack"):
    made.FrameStack, made.GrayScaleObservation = made.FrameStackObservation, made.GrayscaleObservation
sys.path.insert(0, sys.argv[1])
script, steps = runpy.run_path(sys.argv[1] + "/cleanrl/dqn_atari.py", run_name="peer"), int(sys.argv[2])
from cleanrl_utils.evals.dqn_eval import evaluate

class Counted(gym.Wrapper):
    taken = 0
    def step(self, action):
        Counted.taken += 1
        if Counted.taken == 100:  # by then everything is loaded
            Counted.began = time.perf_counter(), time.process_time()
        if Counted.taken == 100 + steps:
            raise StopIteration
        return super().step(action)

def counted(*given):
    return lambda: Counted(script["make_env"](*given)())

game, (file, path) = "PongNoFrameskip-v4", tempfile.mkstemp()
torch.save(script["QNetwork"](gym.vector.SyncVectorEnv([script["make_env"](game, 0, 0, False, "")])).state_dict(), path)
try:
    evaluate(path, counted, game, 10**6, "", Model=script["QNetwork"], epsilon=0.001, capture_video=False)
except StopIteration:
    seconds, cpu = time.perf_counter() - Counted.began[0], time.process_time() - Counted.began[1]
    print(json.dumps([4 * steps / seconds, cpu / seconds]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=int, default=20)
    parser.add_argument("--network", default="nature")
    parser.add_argument("--steps", type=int, default=1_500, help="agent steps of each environment and part of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", help="a checkout of CleanRL")
    parser.add_argument("--python", default=sys.executable, help="an interpreter for it")
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
        if asked.peer:
            command = [asked.python, "-c", PEER, asked.peer, str(n * asked.steps // 4)]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
            for kept, one in zip((rates, cores), json.loads(told), strict=True):
                kept.setdefault("CleanRL", []).append(one)
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
