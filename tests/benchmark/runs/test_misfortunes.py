"""What happens to runs besides kills: signals, a disk that can only be read, too little memory, other packages."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reincarnate.leaderboard import ledger

from .test_survive import ASKED, mounted, start, whole

pytestmark = pytest.mark.slow
resource = pytest.importorskip("resource")  # which Windows lacks


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def killed(tmp_path_factory, cache) -> Path:
    """Return a run that was killed after two checkpoints."""
    run = tmp_path_factory.mktemp("killed") / "run"
    process = start(cache, "hold", "run", *ASKED, "--out", str(run))
    assert process.stdout and any(line == "held\n" for line in process.stdout)
    process.kill()
    process.communicate()
    return run


def copy(run: Path, to: Path) -> Path:
    """Return the run under the same name in another folder, as if it had always been there."""
    shutil.copytree(run, to / "run")
    return to / "run"


def resumed(cache: Path, run: Path) -> None:
    process = start(cache, "run", "--resume", str(run), "--quiet")
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    whole(run)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_run_that_can_go_on(tmp_path, cache, number):
    run = tmp_path / "run"
    before = signal.signal(number, signal.SIG_DFL)  # a child inherits what is ignored, as under nohup
    try:
        process = start(cache, "hold", "run", *ASKED, "--out", str(run))
    finally:
        signal.signal(number, before)
    assert process.stdout and any(line == "held\n" for line in process.stdout)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode in (130, -number)
    assert ledger.faults(ledger.read(run / "ledger.jsonl")) == []
    resumed(cache, run)


def test_a_disk_that_can_only_be_read_is_one_sentence_and_the_run_goes_on_when_it_can_be_written(
    killed, tmp_path, cache
):
    with mounted(tmp_path / "disk", "64m") as disk:
        run = copy(killed, disk)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        process = start(cache, "run", "--resume", str(run), "--quiet")
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 2 and said.count("\n") == 1 and "the disk is read-only" in said, said
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        resumed(cache, run)


def test_too_little_memory_is_one_sentence_and_the_run_goes_on_with_more(killed, tmp_path, cache):
    run = copy(killed, tmp_path)
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (900 * 2**20, before[1]))  # which the child inherits
    try:
        process = start(cache, "run", "--resume", str(run), "--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    said = process.communicate(timeout=120)[0]
    assert process.returncode != 0, said
    if process.returncode == 2:  # otherwise a library has ended the process
        assert "Traceback" not in said and said.splitlines()[-1].startswith("reincarnate: "), said
    assert ledger.faults(ledger.read(run / "ledger.jsonl")) == []
    resumed(cache, run)


def test_a_run_goes_on_with_another_numpy_and_its_ledger_names_both(killed, tmp_path, cache, monkeypatch):
    run, other = copy(killed, tmp_path), tmp_path / "other" / "numpy-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9.9\n")
    monkeypatch.setattr(sys, "path", [str(other.parent), *sys.path])
    resumed(cache, run)
    lines = [line for line in ledger.read(run / "ledger.jsonl") if line["event"] in ("start", "resume")]
    found = [line["machine"]["packages"]["numpy"] for line in lines]
    assert len(found) == 2 and found[0] != "9.9.9" and found[1] == "9.9.9"


def test_output_that_nobody_reads_any_more_leaves_a_run_that_goes_on(tmp_path, cache):
    run = tmp_path / "run"
    process = start(cache, "run", *ASKED, "--out", str(run))
    assert process.stdout is not None
    os.read(process.stdout.fileno(), 10)
    process.stdout.close()
    process.wait(300)
    if (run / "record.json").exists() and not (run / "checkpoints").exists():
        whole(run)
    elif run.exists():
        resumed(cache, run)
