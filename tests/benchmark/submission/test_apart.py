"""The judging process: its limits, and that its death is reported."""

import json
import subprocess
import sys
import time

import pytest

from reincarnate.benchmark.submission import apart
from reincarnate.benchmark.submission.apart import Apart, Died

CHILD = """
import json, sys
from pathlib import Path
from reincarnate.benchmark.submission import apart
from reincarnate.leaderboard.submission import Verdict
def done(job):
    exec(job["code"], {"Verdict": Verdict})
    return [Verdict(run=job["code"][:20].replace("\\n", ""), state="rejected")]
apart._done = done
sys.argv[1] = sys.argv[-1]
apart.main()
"""


@pytest.fixture
def child(monkeypatch):
    """Return a child that runs what the test says, under the same limits; memory is 512 MiB."""
    real = subprocess.Popen

    def popen(command, **more):
        return real([sys.executable, "-c", CHILD, command[-1]], **more)

    monkeypatch.setattr(apart.subprocess, "Popen", popen)
    with Apart(memory=512 * 2**20) as made:
        yield lambda code, seconds=20.0: made._ask({"code": code}, seconds)


@pytest.mark.slow
def test_whatever_ends_the_child_is_told_and_the_next_job_is_done(child):
    assert child("a = 1")[0].run == "a = 1"
    for code in ("import os; os._exit(0)", "raise SystemExit", "1 / 0", "import os; os.kill(os.getpid(), 11)"):
        with pytest.raises(Died, match="died"):
            child(code)
        assert child("b = 2")[0].run == "b = 2"
    started = time.monotonic()
    with pytest.raises(Died, match="longer than the 1 seconds"):
        child("while True: pass", 1.0)
    assert time.monotonic() - started < 5.0
    assert child("print('done'); c = 3")[0].run == "print('done'); c = 3"  # what it prints is not an answer


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
def test_memory_and_files_are_limited(child, tmp_path):
    for code in ("x = bytearray(2**30)", f"open({str(tmp_path / 'large')!r}, 'wb').truncate(2**32)"):
        with pytest.raises(Died):
            child(code)
    assert not (tmp_path / "large").exists() or (tmp_path / "large").stat().st_size < 2**32
    assert child("d = 4")[0].run == "d = 4"


def test_a_verdict_comes_back_as_it_was_said(child):
    assert json.loads(child("e = 5")[0].model_dump_json())["state"] == "rejected"
