"""The server's database, the single point of commit: a request counts once its transaction is on disk.

References live here as well: git's own files of them are a copy that is written
after the transaction, and again at every start, so that pull requests and
branches never disagree, whenever the server is killed.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY COLLATE NOCASE, role TEXT NOT NULL, organisations TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS repositories (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
    private INTEGER NOT NULL, created TEXT NOT NULL, UNIQUE (kind, name));
CREATE TABLE IF NOT EXISTS refs (
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    name TEXT NOT NULL, commit_id TEXT NOT NULL, PRIMARY KEY (repository, name));
CREATE TABLE IF NOT EXISTS discussions (
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    number INTEGER NOT NULL, title TEXT NOT NULL, author TEXT NOT NULL, created TEXT NOT NULL,
    status TEXT NOT NULL, pull INTEGER NOT NULL, merge_commit TEXT, base_commit TEXT,
    PRIMARY KEY (repository, number));
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    discussion INTEGER NOT NULL, type TEXT NOT NULL, author TEXT NOT NULL, created TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_of ON events (repository, discussion);
"""


class Database:
    """SQLite with one connection for all threads: requests are short, and git also needs a single writer."""

    def __init__(self, path: Path):
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)

    def ask(self, sql: str, *values) -> list[sqlite3.Row]:
        """Return the rows of a statement."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Execute all statements of the block or none; durable at its end.
        No other thread reads or writes."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection and its write-ahead log."""
        with self._lock:
            self._connection.close()
