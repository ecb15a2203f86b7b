"""A folder as a Hub repository: git's digests, a commit determined by the files alone, and a Hub cache on disk.

The commit has a fixed author, date and message, so that the same files have the
same 40-hex commit on every machine, and checking it checks every byte.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dulwich.index import commit_tree
from dulwich.object_store import MemoryObjectStore
from dulwich.objects import Blob, Commit, ObjectID

from .. import atomic
from . import reference
from .reference import Ref
from .server.large_files import pointer_to

LARGE = 2**20  # bytes; larger files are kept beside git (LFS), as the Hub does
BINARY = re.compile(r".*(\.safetensors|\.mp4|(array_|tf)record.*)")  # and so are these, whatever their size
# Names that git, a wheel and every file system keep as they are; compiled and half-written files never reach a wheel.
SAFE = re.compile(
    r"(?!\.git(modules)?$|__pycache__$|.*\.(partial|pyc)$|(con|prn|aux|nul|com\d|lpt\d)(\.|$)|"
    r"[^.]{1,6}~\d{1,6}(\.|$))"  # what old names stand for on Windows: git~1 is .git
    r"\.?[a-z0-9_][a-z0-9_.+=~-]*(?<!\.)",
    re.IGNORECASE,
)
LONGEST = 150  # characters of a name with its folders: Windows allows 260, and the cache and the package add their own
LISTING_LIMIT = 16 * 2**20  # bytes of a tree listing


class FileEntry(NamedTuple):
    """One file of a repository."""

    size: int  # bytes
    blob_id: str  # git's digest of the file, or of the pointer that stands for it
    lfs_sha256: str | None = None  # of a large file's content

    def to_json(self) -> dict[str, Any]:
        """Write it as `huggingface_hub` keeps it in trees/<commit>.json."""
        plain = {"size": self.size, "blob_id": self.blob_id}
        return plain if self.lfs_sha256 is None else {**plain, "lfs_sha256": self.lfs_sha256, "lfs_size": self.size}


def is_large(name: str, size: int) -> bool:
    """Return whether git holds only a pointer to the file."""
    return size > LARGE or BINARY.fullmatch(name.rpartition("/")[2]) is not None


def entry(path: Path, large: bool) -> FileEntry:
    """Return the digests of one file."""
    if not large:
        data = path.read_bytes()
        return FileEntry(len(data), Blob.from_string(data).id.decode())
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return FileEntry(size, Blob.from_string(pointer_to(sha256, size)).id.decode(), sha256)


def names(folder: Path) -> list[str]:
    """Return the files below a folder, sorted, with `/` between the parts.

    ValueError for anything that is not a plain file or folder, and for a name
    that would not survive git, a wheel or another operating system.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give one that exists")
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{name} in {folder} is a link or a special file: put the file itself there")
        if not _portable(name):
            raise ValueError(f"{name} in {folder} has no portable name: use ASCII letters, digits and . _ - + = ~ only")
        if path.is_file():
            found.append(name)
    if not found:
        raise ValueError(f"{folder} holds no files: there is nothing to publish")
    lower = {}
    for name in sorted(found):
        if (other := lower.setdefault(name.lower(), name)) != name:
            raise ValueError(f"{other} and {name} in {folder} differ only in case: rename one of them")
    return sorted(found)


def _portable(name: str) -> bool:
    return len(name) <= LONGEST and all(map(SAFE.fullmatch, name.split("/")))


def listing(folder: Path) -> dict[str, FileEntry]:
    """Return all files of a folder with their digests; ValueError as `names`."""
    return {name: entry(path := folder / name, is_large(name, path.stat().st_size)) for name in names(folder)}


def commit(entries: Mapping[str, FileEntry], store: Any = None) -> Commit:
    """Make the root commit of these files, and store its trees in `store`, if given."""
    store = MemoryObjectStore() if store is None else store
    result = Commit()
    blobs = [(name.encode(), ObjectID(e.blob_id.encode()), 0o100644) for name, e in entries.items()]
    result.tree = commit_tree(store, blobs)
    result.author = result.committer = b"reincarnate <reincarnate@localhost>"
    result.author_time = result.commit_time = 1_640_995_200  # 2022-01-01, so that it depends on the files alone
    result.author_timezone = result.commit_timezone = 0
    result.message = b"Add files\n"
    store.add_object(result)
    return result


def digest(folder: Path) -> str:
    """Return the 40-hex commit of a folder; ValueError as `names`."""
    return commit(listing(folder)).id.decode()


def install(folder: Path, repo: str, kind: str, root: Path) -> Ref:
    """Copy a folder into a Hub cache at `root` and make it the newest of its repository.

    Plain files only, so that it fits in a wheel, and `huggingface_hub` opens it
    read-only. What was there before stays. ValueError as `names`.
    """
    home = root / reference.folder(Ref.parse(repo), kind)
    found = names(folder)
    root.mkdir(parents=True, exist_ok=True)
    staging = root / f".{secrets.token_hex(8)}.partial"
    try:
        for name in found:
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, staging / name, follow_symlinks=False)
        entries = listing(staging)  # of the copy: the original may change meanwhile
        sha = commit(entries).id.decode()
        files = {name: e.to_json() for name, e in entries.items()}
        atomic.write(
            home / "trees" / f"{sha}.json", json.dumps({"format_version": 1, "files": files}, indent=1).encode()
        )
        snapshot = home / "snapshots" / sha
        snapshot.parent.mkdir(exist_ok=True)
        if snapshot.exists() and problem(home, sha):
            shutil.rmtree(snapshot)
        if not snapshot.exists():
            os.replace(staging, snapshot)
        atomic.write(home / "refs" / "main", sha.encode())
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Ref(repo, sha)


def problem(home: Path, sha: str) -> str | None:
    """Check every byte of an installed commit; return None, or the first faulty file and its fault."""
    tree, snapshot = home / "trees" / f"{sha}.json", home / "snapshots" / sha
    entries = _read_listing(tree)
    if entries is None or commit(entries).id.decode() != sha:
        return f"{tree} is missing or damaged"
    for name, expected in entries.items():
        path = snapshot / name
        if not path.is_file():
            return f"{path} is missing"
        if path.stat().st_size != expected.size or entry(path, expected.lfs_sha256 is not None) != expected:
            return f"{path} is damaged"
    for path in snapshot.rglob("*"):
        if not path.is_dir() and path.relative_to(snapshot).as_posix() not in entries:
            return f"{path} does not belong there"
    return None


def _read_listing(path: Path) -> dict[str, FileEntry] | None:
    try:
        if path.stat().st_size > LISTING_LIMIT:
            return None
        data = json.loads(path.read_bytes())
        entries = {name: FileEntry(e["size"], e["blob_id"], e.get("lfs_sha256")) for name, e in data["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return entries if data.get("format_version") == 1 and all(map(_is_sound, entries.items())) else None


def _is_sound(item: tuple[str, FileEntry]) -> bool:
    name, e = item
    hexes = isinstance(e.blob_id, str) and reference.is_commit(e.blob_id)
    pointed = e.lfs_sha256 is None or (isinstance(e.lfs_sha256, str) and re.fullmatch("[0-9a-f]{64}", e.lfs_sha256))
    return _portable(name) and isinstance(e.size, int) and hexes and bool(pointed)
