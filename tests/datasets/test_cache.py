"""The cache of decoded logs: once, whole, shared, and never trusted when touched."""

import multiprocessing
import shutil

import numpy as np
import pytest

from reincarnate.datasets import cache
from reincarnate.datasets.cache import cache_key, cached, entries, intact, remove
from reincarnate.datasets.replay import Replay
from reincarnate.datasets.rlds_read import load

from .logs import FRAMES, log, same


@pytest.mark.parametrize("kind", FRAMES)
def test_the_cache_is_the_log(tmp_path, kind):
    log(tmp_path / "log", kind, values=True)
    for split in (None, "checkpoint_01"):
        first = cached(tmp_path / "log", split, tmp_path / "cache")
        assert same(first, load(tmp_path / "log", split))
        assert not first.frame.flags.writeable
    assert len(list(entries(tmp_path / "cache"))) == 2
    assert not list((tmp_path / "cache").glob("*.partial"))
    batch = Replay.of(cached(tmp_path / "log", root=tmp_path / "cache"), 4).sample(np.random.default_rng(0), 8, 1, 0.9)
    assert batch is not None


def _reading_is_forbidden(*_):
    raise AssertionError("the log was decoded again")


def test_the_second_time_nothing_is_decoded(tmp_path, monkeypatch):
    log(tmp_path / "log")
    first = cached(tmp_path / "log", root=tmp_path / "cache")
    monkeypatch.setattr(cache, "read", _reading_is_forbidden)
    assert same(first, cached(tmp_path / "log", root=tmp_path / "cache"))


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "meta"])
def test_a_damaged_entry_is_rebuilt(tmp_path, damage):
    log(tmp_path / "log")
    before = load(tmp_path / "log")
    cached(tmp_path / "log", root=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    frame = entry.folder / "frame"
    assert intact(entry)
    if damage == "flip":
        with open(frame, "r+b") as file:
            file.seek(5000)
            file.write(b"damage")
    elif damage == "truncate":
        frame.write_bytes(frame.read_bytes()[:-1])
    elif damage == "remove":
        frame.unlink()
    else:
        (entry.folder / "meta.json").write_text('{"steps": 3, "columns": []}')
    assert not intact(entry)
    assert same(before, cached(tmp_path / "log", root=tmp_path / "cache"))
    (entry,) = entries(tmp_path / "cache")
    assert intact(entry)


def test_a_touched_but_whole_entry_is_kept(tmp_path, monkeypatch):
    log(tmp_path / "log")
    cached(tmp_path / "log", root=tmp_path / "cache")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", copy_function=shutil.copyfile)
    monkeypatch.setattr(cache, "read", _reading_is_forbidden)
    cached(tmp_path / "log", root=tmp_path / "copy")


def test_a_log_that_cannot_be_read_leaves_nothing(tmp_path):
    log(tmp_path / "log")
    next((tmp_path / "log").glob("*00.array_record*")).write_bytes(b"broken")
    with pytest.raises(ValueError, match="sha256"):
        cached(tmp_path / "log", root=tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_without_room_on_the_disk_the_log_is_read_into_memory(tmp_path, monkeypatch):
    log(tmp_path / "log")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10_000))
    steps = cached(tmp_path / "log", root=tmp_path / "cache")
    assert same(steps, load(tmp_path / "log"))
    assert list(entries(tmp_path / "cache")) == []


def _open(folder, root, results):
    steps = cached(folder, root=root)
    results.put((len(steps.action), int(steps.frame.sum(dtype=np.int64))))


def test_processes_that_start_together_share_one_entry(tmp_path):
    log(tmp_path / "log")
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_open, args=(tmp_path / "log", tmp_path / "cache", results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    got = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    steps = load(tmp_path / "log")
    assert got == [(len(steps.action), int(steps.frame.sum(dtype=np.int64)))] * 3
    assert len(list(entries(tmp_path / "cache"))) == 1


def test_the_key_changes_with_the_log_and_the_splits(tmp_path):
    log(tmp_path / "a", seed=0)
    log(tmp_path / "b", seed=1)
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    assert cache_key(tmp_path / "a") == cache_key(tmp_path / "c")
    assert len({cache_key(tmp_path / "a"), cache_key(tmp_path / "b"), cache_key(tmp_path / "a", "checkpoint_01")}) == 3


def test_entries_are_removed_by_the_beginning_of_their_key(tmp_path):
    log(tmp_path / "log")
    cached(tmp_path / "log", root=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    with pytest.raises(ValueError, match="0 cached logs"):
        remove("x", tmp_path / "cache")
    assert remove(entry.key[:6], tmp_path / "cache") == entry
    assert list((tmp_path / "cache").iterdir()) == []
