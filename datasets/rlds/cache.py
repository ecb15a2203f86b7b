"""A cache of logs, decoded once into memory-mapped arrays that all processes share.

An entry is a folder of raw columns and a `meta.json` with their shapes and checksums. It appears by one rename, under a
lock. Files unchanged since they were written or checked, and since the machine started, are trusted. Others are checked
again, and rebuilt if damaged.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import google_crc32c
import numpy as np
from filelock import FileLock

from .. import atomic, folders
from ..transition import Steps
from .folder import MANIFEST, Log, Shard, chosen_shards, open_log
from .packed import packed
from .read import by_shard, read_shards

BLOCK = 1 << 18  # bytes written at once, while still in the processor's cache
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENOENT)
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)  # of a damaged meta.json
LAYOUT = "2"  # part of every key, so that entries of another layout are not found


class CachedLog(NamedTuple):
    """One cached log, for listing."""

    key: str
    source: str
    steps: int
    bytes: int
    folder: Path


def default_root() -> Path:
    """Return the cache's default folder."""
    return folders.caches() / "logs"


def cached(folder: str | os.PathLike, split: str | Sequence[str] | None = None, root: Path | None = None) -> Steps:
    """Return a log as read-only memory-mapped steps, decoded on the first call; later calls take milliseconds.

    If the disk is full or read-only, frames stay packed in memory and are decoded on access.
    """
    try:
        return _mapped(Path(folder), split, root or default_root())
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
    return packed(folder, split)


def _mapped(folder: Path, split: str | Sequence[str] | None, root: Path) -> Steps:
    """Do the same as `cached`, but raise OSError if there is no room."""
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
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root))
        for orphan in root.glob(f"{key}.*.partial"):  # of a killed process: a live one would hold the lock
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
    """Return 40 hex digits that change with the log's files and the chosen splits; ValueError for a bad folder."""
    log = open_log(folder)
    shards = chosen_shards(log, split)
    digest = hashlib.sha256(LAYOUT.encode())
    for path in (folder / name for name in ("dataset_info.json", "features.json", MANIFEST)):
        digest.update(path.read_bytes() if path.exists() else b"-")
    for shard in shards:
        digest.update(f"\0{shard.path.name}".encode())
        if shard.sha256 is None and shard.path.exists():  # not in a manifest: use its size and time
            stat = shard.path.stat()
            digest.update(f" {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:40]


def _needed(folder: Path, split: str | Sequence[str] | None) -> int:
    """Return the size of the entry in bytes; for a log that does not state its lengths, the size of its shards."""
    log = open_log(folder)
    shards = chosen_shards(log, split)
    _, frame = log.columns.get("observation", ("", None))
    if frame is None or any(shard.steps is None for shard in shards):
        return sum(shard.path.stat().st_size for shard in shards if shard.path.exists())
    itemsize = 4 if frame.dtype == "bfloat16" else np.dtype(frame.dtype).itemsize
    each = int(np.prod(np.abs(frame.shape))) * itemsize + 16
    return each * sum(sum(shard.steps or ()) for shard in shards)


def _build(folder: Path, split: str | Sequence[str] | None, partial: Path) -> None:
    parts = by_shard(folder, split, lambda log, shards, begin: _write(log, shards, begin, partial))
    columns: dict[str, dict[str, Any]] = {name: {**kind, "crc32c": []} for name, kind in parts[0][1].items()}
    for _, kinds, crcs in parts:
        if kinds != parts[0][1]:
            raise ValueError(f"{folder}: its shards hold different columns.")
        for name, crc in crcs.items():
            columns[name]["crc32c"].append(crc)
    for name, column in columns.items():
        with open(partial / name, "rb+") as file:
            if not _boot():  # else checksums find what a crash of the machine damaged: see `_opened`
                os.fsync(file.fileno())
        column["mtime_ns"] = (partial / name).stat().st_mtime_ns
    sizes = [size for size, _, _ in parts]
    meta = {"source": str(folder), "steps": sum(sizes), "parts": sizes, "columns": columns, "boot": _boot()}
    (partial / "meta.json").write_text(json.dumps(meta))


def _write(log: Log, shards: Sequence[Shard], begin: int, partial: Path) -> tuple[int, dict, dict]:
    """Write columns of some shards from a step on; return (steps, column -> type and shape, column -> checksum)."""
    files: dict[str, BinaryIO] = {}  # on a full disk, closing them fails too
    kinds: dict[str, dict[str, Any]] = {}
    crcs: dict[str, int] = {}
    size = 0
    with contextlib.ExitStack() as stack:
        for episode in read_shards(log, shards):
            size += len(episode.steps.action)
            for name, column in episode.steps._asdict().items():
                if column is None:
                    continue
                kind = {"dtype": column.dtype.str, "shape": list(column.shape[1:])}
                row = column.dtype.itemsize * int(np.prod(column.shape[1:]))
                if name not in files:
                    (partial / name).touch()
                    files[name] = stack.enter_context(open(partial / name, "r+b"))
                    kinds[name], crcs[name] = kind, 0
                    files[name].seek(begin * row)
                if kinds[name] != kind:
                    where = f"{shards[0].path.parent}, episode {episode.episode_id}"
                    raise ValueError(f"{where}: its {name} has another shape or type.")
                rows = max(BLOCK // max(row, 1), 1)
                for at in range(0, len(column), rows):
                    data = np.ascontiguousarray(column[at : at + rows]).reshape(-1).view(np.uint8)
                    files[name].write(data.data)
                    crcs[name] = google_crc32c.extend(crcs[name], data)  # pyright: ignore[reportArgumentType]
    return size, kinds, crcs


def _boot() -> str:
    """Return an id of the machine's last start, empty if unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _opened(place: Path) -> Steps | None:
    """Return the entry's arrays, or None if there is none or it is damaged."""
    try:
        meta = json.loads(folders.regular(place / "meta.json").read_bytes())
        arrays, restarted = {}, meta["boot"] != _boot()
        for name, column in meta["columns"].items():
            path, shape = folders.regular(place / name), (meta["steps"], *column["shape"])
            stat = path.stat()
            if stat.st_size != np.dtype(column["dtype"]).itemsize * int(np.prod(shape)):
                return None
            if (restarted or stat.st_mtime_ns != column["mtime_ns"]) and not _whole(path, meta["parts"], column):
                return None
            arrays[name] = np.asarray(np.memmap(path, column["dtype"], "r", shape=shape))
        if restarted:
            with contextlib.suppress(OSError):  # another user's file, or a full disk: it is checked again next time
                atomic.write(place / "meta.json", json.dumps({**meta, "boot": _boot()}).encode())
        return Steps(**arrays)
    except UNREADABLE:
        return None


def _whole(path: Path, parts: Sequence[int], column: dict[str, Any]) -> bool:
    """Return whether a column's parts have the recorded checksums."""
    row = np.dtype(column["dtype"]).itemsize * int(np.prod(column["shape"]))
    with open(path, "rb") as file:
        for steps, wanted in zip(parts, column["crc32c"], strict=True):
            left, crc = steps * row, 0
            while left:
                data = file.read(min(left, BLOCK))
                if not data:
                    return False
                left, crc = left - len(data), google_crc32c.extend(crc, data)
            if crc != wanted:
                return False
        return not file.read(1)


def entries(root: Path | None = None) -> Iterator[CachedLog]:
    """List the cached logs by key."""
    for place in sorted((root or default_root()).glob("*/")):
        try:
            meta = json.loads(folders.regular(place / "meta.json").read_bytes())
            size = sum(path.stat().st_size for path in place.iterdir())
            yield CachedLog(place.name, str(meta["source"]), int(meta["steps"]), size, place)
        except UNREADABLE:
            continue


def remove(key: str, root: Path | None = None) -> CachedLog:
    """Remove the entry whose key has this prefix; ValueError if none or several do."""
    found = [entry for entry in entries(root) if entry.key.startswith(key)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} cached logs have a key that begins with {key!r}; list them with `cache ls`.")
    shutil.rmtree(found[0].folder)
    found[0].folder.with_name(found[0].key + ".lock").unlink(missing_ok=True)
    return found[0]
