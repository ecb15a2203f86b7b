"""What ledger, metrics and checkpoints cost a run of Pong: the same run with and without them, in turns.

    python tests/speed/run_folder.py [--seconds 70] [--network dqn2013]

One JSON line: the share of the run's time that went into them, by the run's own stopwatch, and agent steps a second
with and without. A run shorter than the minute between two checkpoints would flatter, a much longer one change nothing.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from reincarnate.agents import keywords
from reincarnate.agents.method import Architecture
from reincarnate.agents.networks import parse_network
from reincarnate.agents.teacher import absent
from reincarnate.benchmark import machine
from reincarnate.benchmark.display import Display
from reincarnate.benchmark.runs.run_folder import RunFolder
from reincarnate.benchmark.tasks.environments import make, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training.budget import Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.observer import Observer
from reincarnate.benchmark.training.weaning import Validation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=70.0, help="of each of the two runs, by the clock")
    parser.add_argument("--network", default="dqn2013")
    asked = parser.parse_args()
    task = find("atari/Pong")
    method = keywords.make("dqn", {"network": asked.network, "warmup": 500})
    network: Architecture = parse_network(asked.network)
    told = {}
    for name in ("without", "with"):
        with tempfile.TemporaryDirectory() as folder:
            run_folder = RunFolder(Path(folder) / "run", Display(quiet=True))
            run_folder.open({"run": "speed", "budget": {}, "frame_skip": 4, "counters": []}, {})
            observer, watch = (Observer(), lambda status: None) if name == "without" else (run_folder, run_folder.watch)
            budget = Budget(steps=1_000_000, seconds=asked.seconds)
            *_, last = train(
                Training(task, method, network, absent(), None, 0, budget, (1.0,)),
                lambda number: make(task, seeds("train", 0, 8)),
                lambda params: Validation(0.0, 0.0, 30, 0),
                watch,
                observer,
            )
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        spent = last.spent["seconds"] - last.phases["compile"]
        told[name] = {"steps_a_second": round(last.spent["steps"] / spent, 2), "bytes": size}
        told[name]["journal_share"] = round(last.phases["journal"] / spent, 5)
    ratio = np.round(told["with"]["steps_a_second"] / told["without"]["steps_a_second"], 4)
    what = {"what": "ledger, metrics and checkpoints with the replay, Pong", "seconds": asked.seconds}
    print(json.dumps({**what, **told, "ratio": float(ratio), "network": asked.network, **machine.describe()}))


if __name__ == "__main__":
    main()
