"""An update spread over several devices equals that of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets.teachers import weights

ROOT = Path(__file__).parents[3]

PROGRAM = """
import json, sys
from pathlib import Path
import jax
import numpy as np
from reincarnate.agents.keywords import make as method_of
from reincarnate.agents.method import Architecture
from reincarnate.agents import learner
from reincarnate.agents.teacher import absent, flatten
from reincarnate.benchmark.training import loop as trains, programs as device
from reincarnate.benchmark.training.budget import parse
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.tasks.environments import make, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.teachers import weights

task, method = find("gym/CartPole-v1"), method_of("dqn", {settings})._replace(prioritized=True)
used = set()

def shard_batch(batch):
    placed = learner.shard_batch(batch)
    used.add(len(getattr(placed.action, "devices", lambda: [0])()))
    return placed

def validate(params):
    raise AssertionError("dqn is told no score")

device.shard_batch = shard_batch
snapshots = trains.train(
    Training(task, method, Architecture("mlp", {{"size": 16}}), absent(), None, 0, parse("frames=400"), (1.0,)),
    lambda number: make(task, seeds("train", 0, 4, number)), validate,
)
(last,) = snapshots
weights.save(Path(sys.argv[1]), flatten(last.params))
spent = {{unit: value for unit, value in last.spent.items() if unit not in ("seconds", "device")}}
print(json.dumps({{"devices": len(jax.devices()), "used": sorted(used), "spent": spent}}))
"""


def trained(folder: Path, devices: int, batch_size: int) -> tuple[dict, dict[str, np.ndarray]]:
    """Return what a training on so many devices says, and its student."""
    file = folder / f"{devices}-{batch_size}.safetensors"
    settings = {"batch_size": batch_size, "learning_rate": 1e-3, "epsilon": 0.2, "explore": 0, "warmup": 0.1}
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".src"), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling is nearly all that it costs
    program = PROGRAM.format(settings=repr(settings))
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), weights.load(file)


@pytest.mark.slow
def test_four_devices_learn_what_one_learns(tmp_path):
    alone, one = trained(tmp_path, 1, 32)
    together, four = trained(tmp_path, 4, 32)
    assert (alone["devices"], alone["used"], together["devices"], together["used"]) == (1, [1], 4, [4])
    assert alone["spent"] == together["spent"]
    assert alone["spent"]["steps"] == 400 and alone["spent"]["updates"] == 91 and alone["spent"]["flops"] > 0
    assert set(one) == set(four)
    for name, array in one.items():
        np.testing.assert_allclose(four[name], array, rtol=0, atol=1e-5)
