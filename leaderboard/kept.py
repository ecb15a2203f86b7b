"""What a build computed before, by the content that it was computed from, so that a build costs what is new.

The file belongs to the user who builds, and nothing of a submission is ever taken for it. It is read without running
code: only plain values and the models of records are accepted. What is damaged is computed again.
"""

import hashlib
import io
import pickle
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pydantic

from . import record, submission

DAYS = 30  # after which an unused value is dropped
DIGEST = 20  # bytes
MODELS = {
    (module.__name__, name): one
    for module in (record, submission)
    for name, one in vars(module).items()
    if isinstance(one, type) and issubclass(one, pydantic.BaseModel) and one.__module__ == module.__name__
}
Value = TypeVar("Value")


class Kept:
    """Values by key, in one file; without a file, everything is computed."""

    def __init__(self, file: Path | None = None) -> None:
        self._new: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()
        self._file = None if file is None else _opened(file)

    def value(self, kind: str, parts: Iterable[str | bytes], make: Callable[[], Value]) -> Value:
        """Return the value of a kind that is computed from these parts and the code, made if it is not there or
        damaged. Nothing is kept of what raises."""
        if self._file is None:
            return make()
        key = _key(kind, *parts)
        found = self._loaded(key)
        if found is None:
            found = make()
            self._new[key] = pickle.dumps(found, protocol=5)
        return found

    def load(self, kind: str, parts: Iterable[str | bytes]) -> Any:
        """Return what was kept last under this name; None if it is not there or damaged."""
        return self._loaded(_key(kind, *parts))

    def keep(self, kind: str, parts: Iterable[str | bytes], value: object) -> None:
        """Keep many values under one name, which are read in one go; they must not be changed afterwards."""
        if self._file is not None:
            self._new[_key(kind, *parts)] = pickle.dumps(value, protocol=5)

    def _loaded(self, key: bytes) -> Any:
        if self._file is None:
            return None
        try:
            row = self._file.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
            if row and row[0][:DIGEST] == _digest(key, row[0][DIGEST:]):
                self._used.add(key)
                return _Plain(io.BytesIO(row[0][DIGEST:])).load()
        except (sqlite3.Error, pickle.UnpicklingError, EOFError, AttributeError, LookupError, TypeError, ValueError):
            pass
        return None

    def close(self) -> None:
        """Write what is new, and drop what no build has used for a month. A file that cannot be written is left."""
        if self._file is None:
            return
        day = int(time.time() // 86_400)
        rows = [(key, _digest(key, value) + value, day) for key, value in self._new.items()]
        try:
            with self._file as file:
                file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows)
                used = ((day, key, day) for key in self._used)
                file.executemany("UPDATE kept SET day = ? WHERE key = ? AND day < ?", used)
                file.execute("DELETE FROM kept WHERE day < ?", (day - DAYS,))
        except sqlite3.Error:
            pass
        self._file.close()
        self._file = None


def _key(kind: str, *parts: str | bytes) -> bytes:
    found = hashlib.blake2b(_code(), digest_size=DIGEST)
    for part in (kind, *parts):
        data = part.encode() if isinstance(part, str) else part
        found.update(len(data).to_bytes(8, "little") + data)
    return found.digest()


@cache
def _code() -> bytes:
    """Return a digest of this room's code, and of the versions of what it computes with."""
    versions = f"{sys.version} {np.__version__} {pydantic.VERSION}"
    sources = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(b"\0".join([versions.encode(), *sources])).digest()


def _digest(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, key=key, digest_size=DIGEST).digest()


def _opened(path: Path) -> sqlite3.Connection | None:
    """Open the file, made anew if it is damaged; None if that is impossible."""
    for _ in range(2):
        file = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = sqlite3.connect(path, timeout=5.0)
            file.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB, day INTEGER)")
            file.execute("SELECT key, value, day FROM kept LIMIT 1")
            return file
        except sqlite3.OperationalError:  # another process holds it, or it cannot be written
            return None
        except sqlite3.DatabaseError:
            if file is not None:
                file.close()
            path.unlink(missing_ok=True)
        except OSError:
            return None
    return None


class _Plain(pickle.Unpickler):
    """Read plain values and models of records; names of anything else are refused, so that no code is run."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return MODELS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not a model of a record") from None
