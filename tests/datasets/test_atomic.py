"""Files and folders appear whole or not at all, even if the disk is full."""

import os
import subprocess
import sys
import threading

import pytest

from reincarnate.datasets import atomic

LIMITED = """
import resource, sys
from pathlib import Path
from reincarnate.datasets import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    atomic.write_all(Path(sys.argv[1]), {"a": bytes(4000), "b": bytes(6000)})
except OSError as error:
    sys.exit(7)
"""


@pytest.mark.parametrize("before", [None, {"a": b"old"}])
def test_several_files_are_written_all_or_none(tmp_path, before):
    folder = tmp_path / "report"
    if before:
        atomic.write_all(folder, before)
    answer = subprocess.run([sys.executable, "-c", LIMITED, str(folder)], capture_output=True, text=True)
    assert answer.returncode == 7, answer.stderr
    found = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else None
    assert found == before
    atomic.write_all(folder, {"a": b"new", "b": b"too"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a": b"new", "b": b"too"}


def test_of_two_who_write_one_folder_the_second_is_told(tmp_path):
    entered, written = threading.Event(), threading.Event()

    def other():
        with atomic.folder(tmp_path / "run") as partial:
            (partial / "ledger").write_text("theirs")
            entered.wait(10)
        written.set()

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(ValueError, match="run was written by another process in the meantime: give another folder"):
        with atomic.folder(tmp_path / "run") as partial:
            (partial / "ledger").write_text("ours")
            entered.set()
            assert written.wait(10)
    thread.join()
    assert os.listdir(tmp_path) == ["run"] and (tmp_path / "run" / "ledger").read_text() == "theirs"
