"""A record describes its machine truthfully."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from dulwich import porcelain

from reincarnate.benchmark import machine
from reincarnate.benchmark.evaluation import shared
from reincarnate.benchmark.runs.reevaluate import evaluate
from reincarnate.benchmark.runs.run import resume, run
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard.record import Evaluation

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


@pytest.mark.parametrize("name", ["jax_enable_x64", "jax_disable_jit"])
def test_a_run_that_could_not_be_compared_does_not_begin(tmp_path, name):
    """In 64 bits the weights differ from the first update, and FLOPs too, under the same command."""
    jax.config.update(name, True)
    try:
        for begin in (
            lambda: run("gym/CartPole-v1", "dqn", "steps=64", out=tmp_path / "run"),
            lambda: resume(tmp_path),
            lambda: evaluate("x"),
        ):
            with pytest.raises(ValueError, match=f"{name.upper()} is set, but .*: unset it") as told:
                begin()
            assert "\n" not in str(told.value)
    finally:
        jax.config.update(name, False)
    assert not list(tmp_path.iterdir())


def test_what_else_decides_the_last_bits_is_in_the_record(monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    usual = machine.describe()["arithmetic"]
    assert usual["jax_default_matmul_precision"] is None and usual["jax_debug_nans"] is False
    assert usual["NVIDIA_TF32_OVERRIDE"] == "0" and json.loads(json.dumps(usual)) == usual
    with jax.default_matmul_precision("bfloat16"):
        assert machine.describe()["arithmetic"] == {**usual, "jax_default_matmul_precision": "bfloat16"}


def test_git_is_asked_once_a_process(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(porcelain, "status", lambda *_, **__: asked.append(1) or porcelain.GitStatus({}, [], []))
    machine.commit.cache_clear()
    judged = Evaluation(returns=(1.0,), lengths=(1,), epsilon=0.0, seeds=(3, 3))
    for number in range(3):
        shared.once(tmp_path, find("gym/CartPole-v1"), np.array([number]), "a", lambda: judged)
        machine.describe()
    machine.commit.cache_clear()
    assert len(asked) <= 1


def command(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "reincarnate", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_a_device_that_is_not_there_is_one_sentence(tmp_path):
    words = (
        "run",
        "--task",
        "gym/CartPole-v1",
        "--method",
        "dqn",
        "--budget",
        "steps=64",
        "--out",
        str(tmp_path / "x"),
    )
    told = command(*words, JAX_PLATFORMS="tpu")
    assert told.returncode == 2 and told.stderr.strip().splitlines()[-1].startswith(
        "reincarnate: JAX_PLATFORMS asks for tpu"
    )
    assert "Traceback" not in told.stderr and not (tmp_path / "x").exists()


UNFORESEEN = """
import sys
from reincarnate.benchmark.cli import main

def app(**options):
    raise KeyError("odd\\n" * 3)

main.app = app
main.main()
"""


@pytest.mark.parametrize("asked", ["", "1"])
def test_an_error_that_nobody_foresaw_is_one_sentence_and_a_traceback_on_request(asked):
    environment = {**os.environ, "REINCARNATE_TRACEBACK": asked}
    told = subprocess.run([sys.executable, "-c", UNFORESEEN], env=environment, capture_output=True, text=True)
    assert ("Traceback" in told.stderr) == bool(asked) and told.returncode == (1 if asked else 2)
    if not asked:
        assert told.stderr.startswith("reincarnate: KeyError: ") and told.stderr.count("\n") == 1


FULL = """
import errno, os, sys
from reincarnate.benchmark.cli import main

def app(**options):
    if sys.argv[1] == "errno":
        with open("/dev/full", "wb") as file:
            file.write(b"x" * 100_000)
    raise RuntimeError(f"write() failed: {os.strerror(errno.ENOSPC if sys.argv[1] == 'words' else errno.EDQUOT)}; at 7")

main.app = app
main.main()
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("what", "said"), [("errno", "disk is full"), ("words", "disk is full"), ("quota", "disk quota is used up")]
)
def test_a_full_disk_is_one_sentence_whatever_library_finds_it(what, said):
    told = subprocess.run([sys.executable, "-c", FULL, what], capture_output=True, text=True)
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert told.stderr.startswith(f"reincarnate: the {said}: make room, and start again")


START = "import sys; from reincarnate.benchmark.cli.main import main; sys.argv = ['reincarnate', *sys.argv[1:]]; main()"


def started(folder, *words, **environment):
    environment = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", START, *words], cwd=folder, env=environment, capture_output=True)


def test_a_name_that_is_no_text_is_refused_before_anything_is_done(tmp_path):
    told = started(tmp_path, "evaluate", b"l\xe9on")
    assert (told.returncode, told.stderr.count(b"\n")) == (2, 1)
    assert told.stderr.startswith(b"reincarnate: the name 'l\\udce9on' holds bytes that are not UTF-8: rename it")
    (tmp_path / os.fsdecode(b"l\xe9on")).mkdir()
    told = started(tmp_path / os.fsdecode(b"l\xe9on"), "methods")
    assert told.returncode == 2 and b"holds bytes that are not UTF-8" in told.stderr
    (tmp_path / "ümläut").mkdir()
    assert started(tmp_path / "ümläut", "methods", LC_ALL="C", LANG="C", PYTHONIOENCODING="ascii").returncode == 0


def test_a_letter_that_the_terminal_lacks_is_spelled_out():
    told = "import reincarnate.benchmark.cli.main as entry; entry.app = lambda **how: print('9 \u00b1 1'); entry.main()"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    found = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, rb"9 \xb1 1" + os.linesep.encode(), b"")


def test_a_folder_that_is_gone_is_said_to_be(tmp_path):
    go = f"import os; os.mkdir('x'); os.chdir('x'); os.rmdir('../x'); {START}"
    told = subprocess.run([sys.executable, "-c", go, "methods"], cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 2 and told.stderr.count("\n") == 1
    assert told.stderr.startswith("reincarnate: the current folder no longer exists")
