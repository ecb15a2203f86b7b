"""Runs that are killed go on: real processes, killed for real, also in the middle of a checkpoint.

REINCARNATE_KILLS is the number of kills of a run.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets.rlds import read
from reincarnate.leaderboard import ledger
from reincarnate.leaderboard import record as records
from reincarnate.leaderboard.record import mismatches

STEPS, KILLS = 4_000, int(os.environ.get("REINCARNATE_KILLS", "15"))
ASKED = [
    "--task",
    "gym/CartPole-v1",
    "--method",
    "rainbow",
    "--budget",
    f"steps={STEPS},updates=1000",
    "--episodes",
    "2",
]
ASKED += ["--set", "batch_size=8", "--points", "0,0.25,0.5,1", "--environments", "3"]

HASTY = """
import os
import sys
import time
from reincarnate.benchmark.runs import run_folder
run_folder.LEDGER_SECONDS, run_folder.SHARE = 0.05, 1.0
if sys.argv[1].startswith("hold"):  # after two checkpoints, until the run is told to stop, or a file is there
    save, saved, go = run_folder.RunFolder.save, [], sys.argv[1].partition("=")[2]

    def hold(self, *words):
        save(self, *words)
        saved.append(None)
        if len(saved) == 2:
            print("held", flush=True)
            while not self._stop.is_set() and not os.path.exists(go):
                time.sleep(0.05)  # not wait(): the handler's set() would wait for the lock that wait() holds

    run_folder.RunFolder.save = hold
    del sys.argv[1]
from reincarnate.benchmark.cli.main import main
main()
"""


def start(cache: Path, *words: str) -> subprocess.Popen:
    """Return the command in a process of its own, saving its state many times a second."""
    keep = {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, "-c", HASTY, *words]
    path = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, **keep, "PYTHONPATH": path, "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(found, process: subprocess.Popen, seconds: float = 120.0) -> bool:
    """Return whether the text appeared before the process ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if found():
            return True
        time.sleep(0.001)
    return False


@contextmanager
def mounted(disk: Path, size: str) -> Iterator[Path]:
    """Mount a file system of its own size in a new folder while the block runs; skip the test where it cannot be."""
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True)
    if done.returncode:
        pytest.skip("no file system can be mounted here: " + done.stderr.decode().strip())
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def whole(run: Path) -> records.RunRecord:
    """Return the record of a run that is as complete as if nothing had happened."""
    lines, record = ledger.read(run / "ledger.jsonl"), records.load(run / "record.json")
    assert ledger.faults(lines) == [] and mismatches(lines, record) == [] and record.complete
    assert records.of_ledger(lines) == record
    assert [line["due"] for line in lines if line["event"] in ("point", "end")] == [0, 1000, 2000, -1]
    spent = record.points[-1].spent
    assert (spent["steps"], spent["frames"]) == (STEPS, STEPS) and 800 < spent["updates"] <= 1000
    assert not (run / "checkpoints").exists() and not list(run.glob("*/*.partial"))
    assert all((run / point.file).is_file() for point in record.points)
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in metrics] == sorted(line["steps"] for line in metrics)
    return record


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_is_whole(tmp_path, cache):
    run, luck = tmp_path / "run", random.Random(0)
    folder, ledger_file, resumed, halves = run / "checkpoints", run / "ledger.jsonl", 0, 0

    def grown(lines: int) -> bool:
        return ledger_file.exists() and ledger_file.read_bytes().count(b"\n") > lines

    for kill in range(KILLS):
        words = ["run", "--resume", str(run)] if run.exists() else ["run", *ASKED, "--out", str(run), "--log"]
        lines = len(ledger.read(ledger_file)) if run.exists() else 0
        process = start(cache, *words)
        alive = wait_for(partial(grown, lines), process)
        if kill % 3 == 0 and alive:  # in the middle of a checkpoint, while one of its files is half-written
            alive = wait_for(lambda: any(folder.glob(".*.partial")), process, 10.0)
            halves += alive
        elif alive:
            time.sleep(luck.uniform(0.0, 0.6))
        if process.poll() is not None:
            said = process.communicate()[0]
            assert process.returncode == 0 or "is complete: there is nothing to resume" in said, said
            assert whole(run) and resumed, "it was done before it could be killed"
            shutil.rmtree(run)
            resumed = 0
            continue
        process.kill()
        process.communicate()
        if run.exists():
            ledger.mend(ledger_file)
            assert ledger.faults(ledger.read(ledger_file)) == []
            resumed += 1
    if run.exists():
        process = start(cache, "run", "--resume", str(run))
        said = process.communicate(timeout=300)[0]
        assert process.returncode == 0 or "is complete: there is nothing to resume" in said, said
        record = whole(run)
        assert record.resumed <= resumed  # one that was killed in its last steps has only these to repeat
        steps = read.load(run / "log" / "array_record")
        assert int(np.sum(~steps.is_last)) <= STEPS
    assert halves >= KILLS // 6
    print(f"{KILLS} kills, {halves} of them while a checkpoint was half-written")


@pytest.mark.slow
def test_ctrl_c_stops_at_the_next_update_and_says_how_to_go_on(tmp_path, cache):
    run = tmp_path / "run"
    process = start(cache, "hold", "run", *ASKED, "--out", str(run))
    assert process.stdout and any(line == "held\n" for line in process.stdout)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130 and f"resume with: reincarnate run --resume {run}" in said
    lines = ledger.read(run / "ledger.jsonl")
    assert ledger.faults(lines) == [] and lines[-1]["event"] == "progress"
    process = start(cache, "run", "--resume", str(run))
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    record = whole(run)
    assert record.resumed == 1
    resumed = next(line for line in ledger.read(run / "ledger.jsonl") if line["event"] == "resume")
    assert resumed["spent"] == lines[-1]["spent"]  # nothing was lost, and nothing is counted twice


@pytest.mark.slow
def test_a_full_disk_ends_a_run_in_one_sentence_and_it_goes_on_when_there_is_room(tmp_path, cache):
    with mounted(tmp_path / "disk", "4m") as disk:
        run = disk / "run"
        process = start(cache, f"hold={tmp_path / 'go'}", "run", *ASKED, "--out", str(run), "--quiet")
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        ballast, size = disk / "ballast", 1 << 16
        with ballast.open("wb", buffering=0) as file:
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2
        (tmp_path / "go").touch()
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 2 and said.count("\n") == 1 and "disk is full" in said, said
        assert f"--resume {run}" in said
        before = ledger.read(run / "ledger.jsonl")
        assert ledger.faults(before) == [] and before[-1]["event"] in ("progress", "point")
        assert not list(run.rglob("*.partial"))
        ballast.unlink()
        process = start(cache, "run", "--resume", str(run), "--quiet")
        said = process.communicate(timeout=300)[0]
        assert process.returncode == 0, said
        assert whole(run).resumed == 1
