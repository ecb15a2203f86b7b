"""A bare git repository on disk, written so that it passes `git fsck --strict` after any crash."""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from dulwich.index import commit_tree
from dulwich.object_store import MemoryObjectStore, iter_tree_contents
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo
from dulwich.walk import ORDER_TOPO, Walker

from .refusal import Refusal

LOOSE = 8  # objects; more of them at once become one pack, which is one fsync instead of many
REMEMBERED = 64  # listings of commits


class Info(NamedTuple):
    """The metadata of a commit."""

    tree: str
    parents: list[str]
    author: str
    date: str  # as the Hub writes it
    title: str
    message: str


class Git:
    """Blobs, trees, commits and references of one repository; safe to use from many threads."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.RLock()
        self._repo = Repo(str(folder))
        self._store: Any = self._repo.object_store
        self._store.fsync_object_files = True
        self._files: dict[str, dict[str, str]] = {}

    @classmethod
    def create(cls, folder: Path) -> "Git":
        """Return a new repository without a commit."""
        folder.mkdir(parents=True)
        Repo.init_bare(str(folder), default_branch=b"main").close()
        return cls(folder)

    def close(self) -> None:
        """Close open packs."""
        with self._lock:
            self._repo.close()

    def add(self, objects: Sequence[ShaFile]) -> None:
        """Write objects durably."""
        with self._lock:
            new = [one for one in {o.id: o for o in objects}.values() if one.id not in self._store]
            if len(new) > LOOSE:
                self._store.add_objects([(one, None) for one in new])
                return sync(self.folder / "objects" / "pack")
            for one in new:
                self._store.add_object(one)
            for place in {one.id[:2].decode() for one in new}:
                sync(self.folder / "objects" / place)
            if new:
                sync(self.folder / "objects")

    def blob(self, sha: str) -> bytes:
        """Return the content of a file."""
        with self._lock:
            return self._store[_id(sha)].as_raw_string()

    def is_commit(self, sha: str) -> bool:
        """Return whether the commit exists."""
        with self._lock:
            return _id(sha) in self._store and isinstance(self._store[_id(sha)], Commit)

    def files(self, commit: str) -> dict[str, str]:
        """Return {path: blob} of a commit; the caller must not change it."""
        with self._lock:
            if commit not in self._files:
                tree = self._store[_id(commit)].tree
                found = {e.path.decode(): e.sha.decode() for e in iter_tree_contents(self._store, tree)}
                while len(self._files) >= REMEMBERED:
                    del self._files[next(iter(self._files))]
                self._files[commit] = found
            return self._files[commit]

    def folders(self, commit: str) -> dict[str, str]:
        """Return {path: tree} of all folders of a commit."""
        with self._lock:
            entries = iter_tree_contents(self._store, self._store[_id(commit)].tree, include_trees=True)
            return {e.path.decode(): e.sha.decode() for e in entries if e.path and e.mode == 0o40000}

    def commit(self, files: Mapping[str, str], parents: Sequence[str], author: str, message: str) -> str:
        """Write a commit of these files, {path: blob}, and return its digest; moves no reference."""
        taken = {folder for path in files for folder in _above(path)}
        if clash := taken & set(files):
            raise Refusal(400, f"Path is both a file and a folder: {', '.join(sorted(clash))}")
        memory = MemoryObjectStore()
        new = Commit()
        new.tree = commit_tree(
            memory, [(path.encode(), ObjectID(sha.encode()), 0o100644) for path, sha in files.items()]
        )
        new.parents = [_id(parent) for parent in parents]
        new.author = new.committer = f"{author} <{author}@localhost>".encode()
        new.author_time = new.commit_time = int(time.time())
        new.author_timezone = new.commit_timezone = 0
        new.message = message.replace("\0", "").encode() + b"\n"
        trees: list[ShaFile] = [memory[sha] for sha in memory] or [Tree()]
        self.add([*trees, new])
        return new.id.decode()

    def info(self, commit: str) -> Info:
        """Return its author, date and message."""
        with self._lock:
            one = self._store[_id(commit)]
        title, _, rest = one.message.decode(errors="replace").partition("\n")
        author = one.author.decode(errors="replace").split(" <")[0]
        return Info(
            one.tree.decode(), [p.decode() for p in one.parents], author, stamp(one.author_time), title, rest.strip()
        )

    def history(self, commit: str) -> list[str]:
        """Return a commit and its ancestors, children first."""
        with self._lock:
            return [entry.commit.id.decode() for entry in Walker(self._store, [_id(commit)], order=ORDER_TOPO)]

    def set_ref(self, name: str, commit: str | None) -> None:
        """Copy a reference from the database into git's own file."""
        with self._lock:
            if commit is None:
                self._repo.refs.remove_if_equals(Ref(name.encode()), None)
            else:
                self._repo.refs.set_if_equals(Ref(name.encode()), None, _id(commit))

    def refs(self) -> dict[str, str]:
        """Return {name: commit} from git's own files."""
        with self._lock:
            found = self._repo.refs.as_dict()
            return {name.decode(): sha.decode() for name, sha in found.items() if name != b"HEAD"}

    def recover(self) -> None:
        """Remove half-written files of a killed process; only for a server with exclusive access to the folder."""
        packs = self.folder / "objects" / "pack"
        for path in [*self.folder.rglob("*.lock"), *packs.glob("tmp*")]:
            path.unlink()
        for path in packs.glob("pack-*.pack"):
            if not path.with_suffix(".idx").exists():
                path.unlink()


def blob(data: bytes) -> Blob:
    """Return a file's content as an unwritten object."""
    return Blob.from_string(data)


def stamp(seconds: float) -> str:
    """Format a time for the Hub's client."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def sync(folder: Path) -> None:
    """Make the names in a folder durable, if the system supports it."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _id(sha: str) -> ObjectID:
    return ObjectID(sha.encode())


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]
