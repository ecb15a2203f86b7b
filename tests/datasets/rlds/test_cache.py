"""The cache of decoded logs: decoded once, whole, shared, and never trusted after a change."""

import errno
import multiprocessing
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets.replay.replay import Replay
from reincarnate.datasets.rlds import cache
from reincarnate.datasets.rlds.cache import cache_key, cached, entries, remove
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.packed import PackedFrames, packed
from reincarnate.datasets.rlds.read import load
from reincarnate.datasets.rlds.write import LogWriter

from ..logs import FRAMES, log, same


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
    monkeypatch.setattr(cache, "by_shard", _reading_is_forbidden)
    assert same(first, cached(tmp_path / "log", root=tmp_path / "cache"))


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "meta"])
def test_a_damaged_entry_is_rebuilt(tmp_path, damage, monkeypatch):
    log(tmp_path / "log")
    before = load(tmp_path / "log")
    cached(tmp_path / "log", root=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    frame = entry.folder / "frame"
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
    assert same(before, cached(tmp_path / "log", root=tmp_path / "cache"))
    assert len(list(entries(tmp_path / "cache"))) == 1
    monkeypatch.setattr(cache, "by_shard", _reading_is_forbidden)
    assert same(before, cached(tmp_path / "log", root=tmp_path / "cache"))  # it is whole again


def test_a_touched_but_whole_entry_is_kept(tmp_path, monkeypatch):
    log(tmp_path / "log")
    cached(tmp_path / "log", root=tmp_path / "cache")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", copy_function=shutil.copyfile)
    monkeypatch.setattr(cache, "by_shard", _reading_is_forbidden)
    cached(tmp_path / "log", root=tmp_path / "copy")


def test_a_log_that_cannot_be_read_leaves_nothing(tmp_path):
    log(tmp_path / "log")
    next((tmp_path / "log").glob("*00.array_record*")).write_bytes(b"broken")
    with pytest.raises(ValueError, match="sha256"):
        cached(tmp_path / "log", root=tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_after_a_restart_of_the_machine_an_entry_is_checked_once(tmp_path, monkeypatch):
    """Data that was not flushed to disk may be lost, with sizes and times unchanged."""
    log(tmp_path / "log")
    before = cached(tmp_path / "log", root=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    checked = []
    whole = cache._whole
    monkeypatch.setattr(cache, "_whole", lambda path, *how: checked.append(path.name) or whole(path, *how))
    monkeypatch.setattr(cache, "_boot", lambda: "another")
    for _ in range(2):
        assert same(before, cached(tmp_path / "log", root=tmp_path / "cache"))
    assert sorted(checked) == sorted(path.name for path in entry.folder.iterdir() if path.name != "meta.json")
    frame = entry.folder / "frame"
    stat, wanted = frame.stat(), frame.read_bytes()
    frame.write_bytes(bytes(len(wanted)))
    os.utime(frame, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    monkeypatch.setattr(cache, "_boot", lambda: "a third")
    assert cached(tmp_path / "log", root=tmp_path / "cache").frame.tobytes() == wanted


@pytest.fixture
def short(tmp_path):
    """Return a folder on a file system of 16 kilobytes."""
    place = tmp_path / "short"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("only root mounts file systems")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("kind", FRAMES)
def test_on_a_full_disk_frames_are_decoded_when_they_are_gathered(tmp_path, short, kind, announced, monkeypatch):
    log(tmp_path / "log", kind, checkpoints=(9, 8), values=True, shard_bytes=50_000)
    whole = load(tmp_path / "log")
    if not announced:  # the room goes while it is being written
        monkeypatch.setattr(cache, "_needed", lambda *_: 0)
    steps = cached(tmp_path / "log", root=short)
    assert isinstance(steps.frame, PackedFrames) and steps.frame.shape == whole.frame.shape
    assert [path.suffix for path in short.iterdir()] == [".lock"]
    for name in set(steps._fields) - {"frame"}:
        assert np.array_equal(getattr(steps, name), getattr(whole, name))
    a, b = (Replay.of(one, 4).sample(np.random.default_rng(0), 64, 3, 0.9) for one in (steps, whole))
    assert a is not None and b is not None
    for x, y in zip(a, b, strict=True):
        assert np.array_equal(x, y) and np.asarray(x).dtype == np.asarray(y).dtype
    assert np.array_equal(steps.frame[5], whole.frame[5])


def test_packed_frames_take_little_memory(tmp_path):
    """Random frames cannot shrink; those of a game do."""
    still = Episode.of(np.tile(np.arange(84, dtype=np.uint8), (301, 84, 1)), [0] * 300, [0.0] * 300, True, 0)
    with LogWriter(tmp_path / "log", "toy", still.steps.frame[0], 6) as writer:
        writer.add(still)
    steps = packed(tmp_path / "log")
    assert steps.frame.nbytes < 0.1 * still.steps.frame.nbytes
    assert np.array_equal(steps.frame[np.arange(301)], still.steps.frame)


def test_a_log_that_does_not_state_its_lengths_is_cached_and_packed_too(tmp_path):
    log(tmp_path / "log", shard_bytes=50_000)
    whole = load(tmp_path / "log")
    (tmp_path / "log" / "manifest.json").unlink()
    assert same(cached(tmp_path / "log", root=tmp_path / "cache"), whole)
    steps = packed(tmp_path / "log")
    assert np.array_equal(steps.frame[np.arange(len(whole.action))], whole.frame)


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


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_where_nothing_may_be_written_frames_are_decoded_when_they_are_gathered(tmp_path, monkeypatch, number):
    """Use a HOME that belongs to another user."""
    log(tmp_path / "log")
    real = Path.mkdir

    def mkdir(self, *given, **options):
        if tmp_path / "home" in (self, *self.parents):
            raise OSError(number, os.strerror(number), str(self))
        real(self, *given, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    steps = cached(tmp_path / "log", root=tmp_path / "home" / ".cache" / "logs")
    assert isinstance(steps.frame, PackedFrames) and not (tmp_path / "home").exists()
    assert np.array_equal(steps.frame[np.arange(len(steps.frame))], load(tmp_path / "log").frame)
