"""What a record says of its machine is what the machine does."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, os
import jax
from reincarnate.benchmark import machine

jax.jit(jax.numpy.matmul)(jax.numpy.ones((512, 512)), jax.numpy.ones((512, 512))).block_until_ready()
names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
print(json.dumps({**machine.describe(), "found": sum("XLAEigen" in name for name in names)}))
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads are counted in Linux's /proc")
@pytest.mark.parametrize("asked", ["", "1", "3"])
def test_the_threads_of_a_record_are_those_that_xla_has(asked):
    pinned = {"NPROC": asked, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=true"}
    one = {min(os.sched_getaffinity(0))}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={name: value for name, value in {**os.environ, **pinned}.items() if value},
        preexec_fn=None if asked else lambda: os.sched_setaffinity(0, one),
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert told["threads"] == told["found"] == int(asked or 1)
    assert told["cores"] == (len(os.sched_getaffinity(0)) if asked else 1)
    assert told["xla_flags"] == pinned["XLA_FLAGS"]
