"""Anything but a file in a folder of results is named among the faults, and never waited for."""

import os

import pytest

from reincarnate.leaderboard import ledger
from reincarnate.leaderboard.plain_file import content
from reincarnate.leaderboard.results import read

from ..alarm import within


@pytest.fixture(autouse=True)
def awake():
    """Fail what waits for ever."""
    with within(60):
        yield


NAMES = ("results/ann/a.json", "verdicts/ann/a.json", "suites/own-v1.json", "prices.json", "queue.json")


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_among_results_is_a_fault(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(tmp_path / name)
    (fault,) = read(tmp_path).faults
    assert name in fault


def test_only_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "nothing").symlink_to("nowhere")
    (tmp_path / "file").write_bytes(b"1234")
    (tmp_path / "link").symlink_to("file")
    assert content(tmp_path / "link", 4) == b"1234"
    for name, why in {"pipe": "a pipe", "device": "a pipe", "nothing": "not there", "file": "more than 3"}.items():
        for read_it in (content, ledger.read, ledger.mend)[: 1 if name == "file" else 3]:
            with pytest.raises(ValueError, match=f"{name} (is|has) .*{why}"):
                read_it(tmp_path / name, *([3] if name == "file" else []))
    with pytest.raises(FileNotFoundError):
        content(tmp_path / "missing")
