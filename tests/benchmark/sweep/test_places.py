"""Real cells: a killed sweep that resumes, reported failures, Slurm's jobs, a Ray cluster."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reincarnate.benchmark.sweep import cell as sweep_cell
from reincarnate.benchmark.sweep import grid, table
from reincarnate.benchmark.sweep.cell import Needs
from reincarnate.leaderboard.ledger import faults, read
from reincarnate.leaderboard.record import load, mismatches

TASK = "gym/CartPole-v1"
COMMON = {"settings": {"batch_size": "8", "warmup": "10"}, "episodes": 1, "environments": 2, "points": [0.5, 1.0]}
BAD = '''
"""A method whose loss is not a number, and one that waits in the middle of its run for a file `go` beside this."""
import os
import sys
import threading
import time
from pathlib import Path

import jax.numpy as jnp
from reincarnate.agents.methods.dqn import dqn

HERE = Path(__file__).parent


def held(**numbers):
    own = dqn(**numbers)

    def log_share(progress):
        learning = Path(sys._getframe(1).f_code.co_filename).name == "learning.py"  # plans ask as well
        if learning and progress.spent > 0.3 and not (HERE / "go").exists():
            (HERE / f"held-{os.getpid()}-{threading.get_ident()}").touch()
            while not (HERE / "go").exists():
                time.sleep(0.02)
        return own.log_share(progress)

    return own._replace(log_share=log_share)


def held_too(**numbers):
    return held(**numbers)


def bad(**numbers):
    return dqn(**numbers)._replace(loss=lambda student, *rest: {"td": student(rest[2].obs).mean(1) * jnp.nan})
'''


def begun(folder: Path, methods=("dqn",), seeds=(0,), steps: str = "400") -> grid.Sweep:
    return grid.begin(folder, grid.of(TASK, methods, seeds, COMMON | {"budget": f"steps={steps}"}))


def all_is_well(folder: Path) -> None:
    """Assert that every cell is done once, with a valid ledger that agrees with its record."""
    asked = grid.load(folder)
    for cell in grid.cells(asked):
        run = folder / "cells" / cell.name
        lines = read(run / "ledger.jsonl")
        record = load(run / "record.json")
        assert faults(lines) == [] and mismatches(lines, record) == []
        assert [line["event"] for line in lines].count("end") == 1 and record.complete
        assert len(record.points) == 2 and not (run / "checkpoints").exists()
        assert not grid.failures(folder, cell.name)


def wait_for(happened, seconds: float = 300.0) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("way", [[], ["--together"]])
def test_a_sweep_that_is_killed_goes_on_and_one_that_fails_is_tried_twice_and_says_why(tmp_path, way):
    (tmp_path / "bad.py").write_text(BAD)
    folder = tmp_path / "sweep"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    command = [sys.executable, "-m", "reincarnate", "sweep", TASK, "--methods", "bad:held,bad:bad"]
    command += [*way, "--budget", "steps=400", "--seeds", "0,1", "--episodes", "1", "--environments", "2"]
    command += ["--points", "0.5,1", "--set", "batch_size=8", "--set", "warmup=10", "--out", str(folder)]
    command += ["--metrics", "tensorboard"]
    with (tmp_path / "said").open("w") as said:
        first = subprocess.Popen(command, env=env, stdout=said, stderr=said)
    cell, bad = grid.Cell(TASK, "bad:held", 0), grid.Cell(TASK, "bad:bad", 0)
    going = [cell, cell._replace(seed=1)] if way else [cell]
    wait_for(lambda: (folder / ".lock").exists() or first.poll() is not None)
    second = subprocess.run(command, env=env, capture_output=True, text=True)
    assert second.returncode == 2 and "running in another process" in second.stderr
    wait_for(lambda: len(list(tmp_path.glob("held-*"))) >= len(going) or first.poll() is not None)  # the middle
    assert first.poll() is None, (tmp_path / "said").read_text()
    first.kill()
    first.wait()
    (tmp_path / "go").touch()
    wait_for(lambda: not any(grid.busy(folder, one.name) for one in going))
    assert grid.state(folder, cell).word == "stopped"
    again = subprocess.run(command, env=env, capture_output=True, text=True)
    assert again.returncode == 1, again.stderr
    for seed in (0, 1):
        assert "x" in again.stderr and re.search(f"bad-bad~{seed} failed: .*'td' is nan", again.stderr)
        assert len(grid.failures(folder, bad._replace(seed=seed).name)) == 2
        run = folder / "cells" / cell._replace(seed=seed).name
        resumed = [line["event"] for line in read(run / "ledger.jsonl")].count("resume")
        assert resumed == 1 or (not way and seed == 1)  # it may not have begun
        assert faults(read(run / "ledger.jsonl")) == [] and load(run / "record.json").complete
        assert list((run / "tensorboard").glob("events*"))
    assert len(list((folder / "played").glob("*.json"))) == 6  # random play of two seeds, two students of two runs
    before = (run / "record.json").read_bytes()
    third = subprocess.run(command, env=env, capture_output=True, text=True)
    assert third.returncode == 1 and (run / "record.json").read_bytes() == before
    assert len(grid.failures(folder, bad.name)) == 2, "it is not tried again unless that is asked for"
    (row,) = table.report(grid.load(folder), table.gather(folder, grid.load(folder)))
    assert row["method"] == "bad:held" and row["steps"] == 400 and row["runs"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("together", [False, True])
def test_slurm_jobs_do_the_cells_by_submitits_own_executor(tmp_path, together):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'reincarnate[slurm]'")
    from reincarnate.benchmark.sweep.slurm import Slurm

    made = begun(tmp_path, seeds=(0, 1))
    names = grid.jobs(grid.cells(made), together)
    assert len(names) == (1 if together else 2)
    Slurm("local", pause=0.2).execute(tmp_path, names, Needs(), 0, lambda: None, {"timeout_min": "10"})
    all_is_well(tmp_path)
    assert sorted(json.loads((tmp_path / "slurm" / "jobs.json").read_text())) == sorted(names)


def test_what_slurm_is_told(tmp_path, monkeypatch):
    """A fake sbatch stores the file that it is given, since Slurm is not installed."""
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'reincarnate[slurm]'")
    from reincarnate.benchmark.sweep.slurm import SlurmJob, executor

    for name, does in (("sbatch", f"cp $1 {tmp_path}/asked; echo Submitted batch job 12"), ("srun", "true")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    needs = Needs(cpus=3, gpus=1, memory=5 * 2**30)
    made = executor(tmp_path / "grid", needs, 2, {"partition": "gpu", "timeout_min": "600"})
    jobs = made.submit_all([SlurmJob(tmp_path, name, needs) for name in ("a", "b", "c")])
    assert [job.job_id for job in jobs] == ["12_0", "12_1", "12_2"]
    told = (tmp_path / "asked").read_text()
    for line in ("array=0-2%2", "cpus-per-task=3", "gpus-per-node=1", "mem=5GB", "partition=gpu", "time=600"):
        assert f"#SBATCH --{line}\n" in told
    assert "#SBATCH --job-name=sweep-grid\n" in told and "srun" in told and "submitit.core._submit" in told
    with pytest.raises(ValueError, match="Slurm cannot be used"):
        executor(tmp_path / "grid", needs, 0, {"no_such": "1"})


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def held_jobs(place: Path) -> dict[str, int]:
    """Return the jobs whose runs all wait in `held`, and the process of each."""
    found = {}
    for pid in {int(path.name.split("-")[1]) for path in place.glob("held-*")}:
        name = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2].decode()
        if len(list(place.glob(f"held-{pid}-*"))) == len(name.split()):
            found[name] = pid
    return found


@pytest.mark.slow
@pytest.mark.parametrize("together", [False, True])
def test_a_ray_cluster_loses_a_node_and_no_run(tmp_path, together, monkeypatch):
    """Three nodes beside the head; one is killed in the middle of its cell, or of the seeds that it does together."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'reincarnate[ray]'")
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    from reincarnate.benchmark.sweep.ray import execute

    (tmp_path / "bad.py").write_text(BAD)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*sys.path, str(tmp_path)]))  # of the nodes, and so of the cells
    folder = tmp_path / "sweep"
    cells = grid.cells(begun(folder, ("bad:held", "bad:held_too"), seeds=(0, 1)))
    jobs = grid.jobs(cells, together)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = {
        node.all_processes["raylet"][0].process.pid: node for node in (cluster.add_node(num_cpus=1) for _ in "123")
    }
    killed = []

    def kill() -> None:
        if not killed and (held := held_jobs(tmp_path)):
            job, process = min(held.items())
            worker = parent(process)  # which started the cell's process
            cluster.remove_node(nodes[parent(worker)], allow_graceful=False)
            wait_for(lambda: not Path(f"/proc/{process}").exists() or parent(process) != worker)
            killed.extend(job.split())
            (tmp_path / "go").touch()

    try:
        ray.init(address=cluster.address, log_to_driver=False)
        assert sum(node["Alive"] for node in ray.nodes()) == 4
        execute(folder, jobs, Needs(), 0, kill)
        assert killed
        wait_for(lambda: sum(node["Alive"] for node in ray.nodes()) == 3, 60.0)  # Ray hears of it later
    finally:
        ray.shutdown()
        cluster.shutdown()
    all_is_well(folder)
    resumed = {cell: load(folder / "cells" / cell.name / "record.json").resumed for cell in cells}
    assert resumed == {cell: int(cell.name in killed) for cell in cells}


def test_a_cell_is_given_its_threads(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    one = sweep_cell.environment(Needs())
    assert one["NPROC"] == one["OMP_NUM_THREADS"] == "1" and one["JAX_PLATFORMS"] == "cpu"
    assert one["XLA_FLAGS"] == "--xla_dump_to=x --xla_cpu_multi_thread_eigen=false"
    two = sweep_cell.environment(Needs(cpus=2, gpus=1))
    assert two["NPROC"] == "2" and not {"XLA_FLAGS", "JAX_PLATFORMS"} & set(two)


def test_a_failure_has_the_last_word_of_the_process():
    assert sweep_cell._reason(2, b"some line\nreincarnate: the budget is empty\n\n") == "the budget is empty"
    assert sweep_cell._reason(-signal.SIGKILL, b"x") == "killed by signal 9 (out of memory?)"
    assert sweep_cell._reason(3, b"") == "ended with exit code 3"
