"""Whether a finished cell still holds what it made: a full disk, a crash or a user may have damaged it."""

import json
import os
from functools import lru_cache
from pathlib import Path

from ...leaderboard import record as records

FILES = ("record.json", "ledger.jsonl")


def is_whole(run: Path) -> bool:
    """Return whether a finished run has the record of its ledger, and all its students. Looks again only at what has
    changed.
    """
    return _is_whole(run, _stamps(run, FILES)) and has_students(run)


def has_students(run: Path) -> bool:
    """Return whether the students that a finished run's ledger names are there, none of them cut short."""
    return _has_students(run, _stamps(run, (FILES[1],)), _stamps(run / "students"))


def aside(folder: Path, name: str) -> Path:
    """Move a cell's folder to `damaged/`, so that it can be made again, and return where it is."""
    (folder / "damaged").mkdir(exist_ok=True)
    number = next(n for n in range(10**6) if not (folder / "damaged" / f"{name}-{n}").exists())
    return (folder / "cells" / name).rename(folder / "damaged" / f"{name}-{number}")


@lru_cache(10_000)
def _is_whole(run: Path, stamps: tuple) -> bool:
    try:
        record = records.load(run / FILES[0])
        lines = (run / FILES[1]).read_bytes().splitlines()
        return record.complete and bool(lines) and json.loads(lines[-1]).get("hash") == record.ledger
    except (ValueError, OSError, AttributeError, RecursionError):
        return False


@lru_cache(10_000)
def _has_students(run: Path, ledger: tuple, stamps: tuple) -> bool:
    try:
        lines = [json.loads(line) for line in (run / FILES[1]).read_bytes().splitlines()]
        return all(_is_uncut(run / line["file"]) for line in lines if line.get("event") in ("point", "end"))
    except (ValueError, OSError, KeyError, TypeError, AttributeError):
        return False


def _is_uncut(path: Path) -> bool:
    """Return whether a safetensors file is as long as its header says."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size < os.fstat(file.fileno()).st_size:
            return False
        arrays = [one for name, one in json.loads(file.read(size)).items() if name != "__metadata__"]
        return 8 + size + max(one["data_offsets"][1] for one in arrays) == os.fstat(file.fileno()).st_size


def _stamps(folder: Path, names: tuple[str, ...] = ()) -> tuple:
    """Return what changes with the files of a folder: (name, nanoseconds, bytes)."""
    paths = [folder / name for name in names] or sorted(folder.glob("*"))
    found = [(path.name, path.stat()) for path in paths if path.is_file()]
    return tuple((name, each.st_mtime_ns, each.st_size) for name, each in found)
