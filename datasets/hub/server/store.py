"""A Hub in a folder: its repositories and their visibility. It survives a kill at any moment."""

import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from . import git as gits
from .accounts import Accounts, User, writer
from .database import Database
from .git import Git
from .large_files import LargeFiles, Signer
from .names import KINDS, is_repository
from .refusal import Refusal

OPEN = 128  # git repositories kept open
LARGE = (
    "7z arrow bin bz2 ckpt gz h5 msgpack mp4 npy npz onnx parquet pickle pkl pt pth safetensors tar tfrecord xz zip zst"
)
ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in [*(f"*.{ending}" for ending in LARGE.split()), "*.tfrecord-*", "*.array_record*", "*tfevents*"]
)


class Repository(NamedTuple):
    """A model or a dataset."""

    id: int
    kind: str
    name: str  # user/name
    private: bool
    created: str

    @property
    def namespace(self) -> str:
        """Return the user or the organisation that it belongs to."""
        return self.name.partition("/")[0]


class Hub:
    """All data of a server in one folder; ValueError if another process has locked it."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = FileLock(self.root / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(
                f"another server is using the hub in {root}: stop it, or give another folder with --root"
            ) from None
        self.database = Database(self.root / "hub.sqlite")
        self.accounts = Accounts(self.database, self.root / "tokens")
        self.signer = Signer(_secret(self.root / "secret"))
        self._gits: dict[int, Git] = {}
        self._opening, self._naming, self._copying = threading.Lock(), threading.RLock(), threading.RLock()
        self._recover()

    def close(self) -> None:
        """Unlock the folder."""
        for git in self._gits.values():
            git.close()
        self.database.close()
        self._lock.release()

    def folder(self, repository: Repository) -> Path:
        """Return its bare git repository; `git clone` can read it."""
        return self.root / f"{repository.kind}s" / f"{repository.name}.git"

    def git(self, repository: Repository) -> Git:
        """Return its git repository, opened on first use."""
        with self._opening:
            if repository.id not in self._gits:
                while len(self._gits) >= OPEN:
                    del self._gits[next(iter(self._gits))]  # a thread may still be using it: closing is left to Python
                self._gits[repository.id] = Git(self.folder(repository))
            return self._gits[repository.id]

    def large(self, repository: Repository) -> LargeFiles:
        """Return its large files."""
        return LargeFiles(self.folder(repository))

    def all(self, kind: str) -> list[Repository]:
        """Return all repositories of a kind, by name."""
        return [
            _repository(r) for r in self.database.ask("SELECT * FROM repositories WHERE kind = ? ORDER BY name", kind)
        ]

    def reads(self, user: User | None, repository: Repository) -> bool:
        """Return whether a user may see a repository."""
        return not repository.private or (user is not None and user.owns(repository.namespace))

    def find(self, kind: str, name: str, user: User | None, write: bool = False) -> Repository:
        """Return a repository that a user may read, or write; Refusal in the Hub's words."""
        rows = self.database.ask("SELECT * FROM repositories WHERE kind = ? AND name = ?", kind, name)
        found = _repository(rows[0]) if rows else None
        if found is None or not self.reads(user, found):
            raise Refusal(404, "Repository not found", "RepoNotFound") if user else _hidden()
        if write:
            self.require_writer(user, found.namespace, f"{kind}s/{name}")
        return found

    def require_writer(self, user: User | None, namespace: str, what: str) -> User:
        """Return the user, if they may write in a namespace; Refusal otherwise."""
        user = writer(user)
        if not user.owns(namespace):
            raise Refusal(403, f"You don't have the rights to write to {what} (user {user.name})")
        return user

    def create(self, kind: str, name: str, private: bool, user: User) -> Repository:
        """Create a repository with one commit; Refusal 409 if the name is taken."""
        check_name(kind, name)
        with self._naming, self.database.change():
            if self.database.ask("SELECT 1 FROM repositories WHERE kind = ? AND name = ?", kind, name):
                raise Refusal(409, "You already created this repo")
            created = gits.stamp(time.time())
            self.database.ask(
                "INSERT INTO repositories (kind, name, private, created) VALUES (?, ?, ?, ?)",
                kind,
                name,
                private,
                created,
            )
            made = self.find(kind, name, user)
            shutil.rmtree(self.folder(made), ignore_errors=True)  # of a server that was killed
            git = Git.create(self.folder(made))
            attributes = gits.blob(ATTRIBUTES.encode())
            git.add([attributes])
            first = git.commit({".gitattributes": attributes.id.decode()}, [], user.name, "initial commit")
            for place in (self.folder(made), self.folder(made).parent, self.folder(made).parent.parent):
                gits.sync(place)
            self.set_ref(made, "refs/heads/main", first)
            self._gits[made.id] = git
        self.copy_ref(made, "refs/heads/main")
        return made

    def delete(self, repository: Repository) -> None:
        """Remove a repository and all its files."""
        with self._naming:  # nobody makes a new one of that name before the old files are gone
            with self.database.change():
                self.database.ask("DELETE FROM repositories WHERE id = ?", repository.id)
            self._gits.pop(repository.id, None)
            shutil.rmtree(self.folder(repository))

    def set_private(self, repository: Repository, private: bool) -> None:
        """Hide a repository from others, or show it."""
        with self.database.change():
            self.database.ask("UPDATE repositories SET private = ? WHERE id = ?", private, repository.id)

    def ref(self, repository: Repository, name: str) -> str | None:
        """Return the commit of a full reference, such as refs/heads/main."""
        rows = self.database.ask("SELECT commit_id FROM refs WHERE repository = ? AND name = ?", repository.id, name)
        return rows[0][0] if rows else None

    def refs(self, repository: Repository, start: str = "refs/") -> dict[str, str]:
        """Return {full name: commit} of the references with this prefix."""
        rows = self.database.ask("SELECT name, commit_id FROM refs WHERE repository = ? ORDER BY name", repository.id)
        return {row["name"]: row["commit_id"] for row in rows if row["name"].startswith(start)}

    def set_ref(self, repository: Repository, name: str, commit: str | None) -> None:
        """Move or remove a reference within a `change` of the database; `copy_ref` comes after it."""
        if commit is None:
            self.database.ask("DELETE FROM refs WHERE repository = ? AND name = ?", repository.id, name)
        else:
            self.database.ask("INSERT OR REPLACE INTO refs VALUES (?, ?, ?)", repository.id, name, commit)

    def copy_ref(self, repository: Repository, name: str) -> None:
        """Copy a reference from the database to git's own file, for `git clone`; not within a `change`."""
        with self._copying:  # the last one to come copies the newest
            self.git(repository).set_ref(name, self.ref(repository, name))

    def resolve(self, repository: Repository, revision: str) -> str:
        """Return the commit of a branch, a tag, a full reference or a commit; Refusal if there is none."""
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if found := self.ref(repository, name):
                return found
        if re.fullmatch("[0-9a-f]{40}", revision) and self.git(repository).is_commit(revision):
            return revision
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def files(self, repository: Repository, revision: str = "main") -> dict[str, str]:
        """Return {path: blob} at a revision; the caller must not change it."""
        return self.git(repository).files(self.resolve(repository, revision))

    def forget_uploads(self, age: float) -> None:
        """Remove uploads that no commit has named for `age` seconds."""
        for kind in KINDS:
            for repository in self.all(kind):
                self.large(repository).forget(age)

    def _recover(self) -> None:
        """Restore git's files to the state of the database, and remove unconfirmed data."""
        known = set()
        for kind in KINDS:
            for repository in self.all(kind):
                known.add(self.folder(repository))
                git, refs = self.git(repository), self.refs(repository)
                git.recover()
                self.large(repository).recover()
                there = git.refs()
                for name in there.keys() - refs.keys():
                    git.set_ref(name, None)
                for name in (name for name, commit in refs.items() if there.get(name) != commit):
                    git.set_ref(name, refs[name])
            for folder in self._folders(kind):
                if folder not in known:
                    shutil.rmtree(folder)

    def _folders(self, kind: str) -> Iterator[Path]:
        return (self.root / f"{kind}s").glob("*/*.git")


def check_name(kind: str, name: str) -> None:
    """Raise Refusal unless it is the user/name of a model or dataset."""
    if kind not in KINDS:
        raise Refusal(400, f"This hub has {' and '.join(KINDS)} repositories only, not {kind}")
    if not is_repository(name):
        raise Refusal(400, f"Invalid repository name: {name}")


def _hidden() -> Refusal:
    return Refusal(401, "Invalid username or password.", "RepoNotFound")


def _repository(row) -> Repository:
    return Repository(row["id"], row["kind"], row["name"], bool(row["private"]), row["created"])


def _secret(path: Path) -> bytes:
    if not path.exists():
        partial = path.with_name(".secret.partial")
        partial.unlink(missing_ok=True)
        with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_bytes(32))
        os.replace(partial, path)
    return path.read_bytes()
