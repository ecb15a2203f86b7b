"""A log decoded once into memory-mapped arrays, shared by all processes that read it.

An entry is a folder of raw columns and a `meta.json` with their shapes and
digests. It appears by one rename, under a lock. What has not been touched since
it was written is trusted; anything else is hashed again, and rebuilt if damaged.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from filelock import FileLock

from . import folders
from .replay import Steps
from .rlds_folder import MANIFEST, chosen_shards, open_log
from .rlds_read import load, read

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)  # what a damaged meta.json leads to
LAYOUT = "1"  # part of every key: entries of another layout are not found


class Entry(NamedTuple):
    """One cached log, for listing."""

    key: str
    source: str
    steps: int
    bytes: int
    folder: Path


def default_root() -> Path:
    """`logs` among the user's caches."""
    return folders.caches() / "logs"


def cached(folder: str | os.PathLike, split: str | Sequence[str] | None = None, root: Path | None = None) -> Steps:
    """A log as read-only memory-mapped steps, decoded at the first call. In memory where the disk is too full."""
    root = root or default_root()
    folder = Path(folder)
    key = cache_key(folder, split)
    place = root / key
    steps = _opened(place)
    if steps is not None:
        return steps
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{key}.lock"):
        steps = _opened(place)  # another process may have been faster
        if steps is not None:
            return steps
        if _needed(folder, split) > 0.95 * shutil.disk_usage(root).free:
            return load(folder, split)
        for orphan in root.glob(f"{key}.*.partial"):  # of a process that was killed: it would hold the lock else
            shutil.rmtree(orphan, ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(dir=root, prefix=f"{key}.", suffix=".partial"))
        try:
            _build(folder, split, partial)
            os.replace(partial, place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    steps = _opened(place)
    if steps is None:
        raise ValueError(f"{place} cannot be read back right after it was written; check the disk.")
    return steps


def cache_key(folder: Path, split: str | Sequence[str] | None = None) -> str:
    """40 hex digits that change whenever the log's files or the chosen splits do. Raises ValueError on bad folders."""
    log = open_log(folder)
    shards = chosen_shards(log, split)
    digest = hashlib.sha256(LAYOUT.encode())
    for path in (folder / name for name in ("dataset_info.json", "features.json", MANIFEST)):
        digest.update(path.read_bytes() if path.exists() else b"-")
    for shard in shards:
        digest.update(f"\0{shard.path.name}".encode())
        if shard.sha256 is None and shard.path.exists():  # no manifest vouches for it: go by what the file system says
            stat = shard.path.stat()
            digest.update(f" {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:40]


def _needed(folder: Path, split: str | Sequence[str] | None) -> int:
    """Bytes that the entry will take; for logs that do not state their lengths, the size of their shards."""
    log = open_log(folder)
    shards = chosen_shards(log, split)
    frame = log.schema.step.get("observation")
    if frame is None or any(shard.steps is None for shard in shards):
        return sum(shard.path.stat().st_size for shard in shards if shard.path.exists())
    each = int(np.prod(np.abs(frame.shape))) * np.dtype(frame.dtype).itemsize + 16
    return each * sum(sum(shard.steps or ()) for shard in shards)


def _build(folder: Path, split: str | Sequence[str] | None, partial: Path) -> None:
    files: dict[str, BinaryIO] = {}
    columns: dict[str, dict[str, Any]] = {}
    digests: dict[str, Any] = {}
    size = 0
    try:
        for episode in read(folder, split):
            size += len(episode.steps.action)
            for name, column in episode.steps._asdict().items():
                if column is None:
                    continue
                if name not in files:
                    files[name] = open(partial / name, "wb")
                    digests[name] = hashlib.sha256()
                    columns[name] = {"dtype": column.dtype.str, "shape": list(column.shape[1:])}
                if columns[name] != {"dtype": column.dtype.str, "shape": list(column.shape[1:])}:
                    raise ValueError(f"{folder}, episode {episode.episode_id}: its {name} has another shape or type.")
                data = np.ascontiguousarray(column).data
                files[name].write(data)
                digests[name].update(data)
    finally:
        for file in files.values():
            file.close()
    for name, column in columns.items():
        with open(partial / name, "rb+") as file:
            os.fsync(file.fileno())
        column.update(sha256=digests[name].hexdigest(), mtime_ns=(partial / name).stat().st_mtime_ns)
    meta = {"source": str(folder), "steps": size, "columns": columns}
    (partial / "meta.json").write_text(json.dumps(meta))


def _opened(place: Path) -> Steps | None:
    """The entry's arrays, or None if there is none or it is damaged."""
    try:
        meta = json.loads((place / "meta.json").read_bytes())
        arrays = {}
        for name, column in meta["columns"].items():
            path, shape = place / name, (meta["steps"], *column["shape"])
            stat = path.stat()
            if stat.st_size != np.dtype(column["dtype"]).itemsize * int(np.prod(shape)):
                return None
            if stat.st_mtime_ns != column["mtime_ns"] and _sha256(path) != column["sha256"]:
                return None
            arrays[name] = np.asarray(np.memmap(path, column["dtype"], "r", shape=shape))
        return Steps(**arrays)
    except UNREADABLE:
        return None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def intact(entry: Entry) -> bool:
    """Whether every byte of an entry is the one that was written (reads it all)."""
    try:
        columns = json.loads((entry.folder / "meta.json").read_bytes())["columns"]
        return all(_sha256(entry.folder / name) == column["sha256"] for name, column in columns.items())
    except UNREADABLE:
        return False


def entries(root: Path | None = None) -> Iterator[Entry]:
    """What is cached, by key."""
    for place in sorted((root or default_root()).glob("*/")):
        try:
            meta = json.loads((place / "meta.json").read_bytes())
            size = sum(path.stat().st_size for path in place.iterdir())
            yield Entry(place.name, str(meta["source"]), int(meta["steps"]), size, place)
        except UNREADABLE:
            continue


def remove(key: str, root: Path | None = None) -> Entry:
    """Removes the entry whose key begins so. Raises ValueError if there is none or several."""
    found = [entry for entry in entries(root) if entry.key.startswith(key)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} cached logs have a key that begins with {key!r}; list them with `cache ls`.")
    shutil.rmtree(found[0].folder)
    found[0].folder.with_name(found[0].key + ".lock").unlink(missing_ok=True)
    return found[0]
