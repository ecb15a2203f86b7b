"""Commits in the form that the Hub's client sends: lines of JSON, each a header, a file, a pointer or a removal."""

import base64
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

from . import git as gits
from . import parsing
from .accounts import User
from .git import Git
from .large_files import pointer_to
from .refusal import Refusal
from .store import Hub, Repository

REGULAR = 10 * 2**20  # bytes; a larger file must be uploaded as a large one
LINE = 2 * REGULAR  # bytes of JSON
VALUES = 1000  # in a line of JSON
OPERATIONS = 100_000  # in a commit
BATCH = 16 * 2**20  # bytes of files that wait to be written together
ATTRIBUTE_LINE = 2048  # bytes, as git's own check wants it
# What Windows takes for a device, for a drive or for a part of a path.
WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)([ .].*)?|.*[\\:].*", re.IGNORECASE | re.DOTALL)
# Names that git takes for its own on some file system, and that its check refuses.
GITS = re.compile(r"(\.git(modules)?|git~\d|gitmod~\d|gi7eba~\d)([ .]*|:.*|\\.*)", re.IGNORECASE)


class Changes(NamedTuple):
    """The content of a commit request."""

    summary: str
    description: str
    parent: str  # "" if any will do
    operations: list[tuple[str, str, str]]  # (what, path, blob or digest)


def read(lines: IO[bytes], git: Git) -> Changes:
    """Read a commit, and write its files to git in batches, to limit memory."""
    header: dict[str, Any] = {}
    operations, waiting, size = [], [], 0
    for line in _lines(lines):
        if len(operations) >= OPERATIONS:
            raise Refusal(413, f"This commit changes more than {OPERATIONS} files: make several")
        one = parsing.read(line, VALUES)
        kind, value = one["key"], one["value"]
        if kind == "header":
            header = value
            continue
        path = check_path(value["path"])
        content = ""
        if kind == "file":
            data = base64.b64decode(value["content"])
            if path.rpartition("/")[2] == ".gitattributes" and any(len(x) > ATTRIBUTE_LINE for x in data.splitlines()):
                raise Refusal(400, f"{path} has a line of more than {ATTRIBUTE_LINE} bytes")
            waiting.append(gits.blob(data))
            content, size = waiting[-1].id.decode(), size + len(data)
        elif kind == "lfsFile":
            content = value["oid"]
        elif kind not in ("deletedFile", "deletedFolder"):
            raise Refusal(400, f"Unknown operation {kind}")
        operations.append((kind, path, content))
        if size > BATCH:
            git.add(waiting)
            waiting, size = [], 0
    git.add(waiting)
    text = [str(header.get(key) or "") for key in ("summary", "description", "parentCommit")]
    return Changes(text[0] or "Update files", text[1], text[2], operations)


def apply(hub: Hub, one: Repository, user: User, parent: str, changes: Changes) -> str:
    """Write the commit of these changes on top of a parent, and return it; moves no reference."""
    git, large = hub.git(one), hub.large(one)
    files = dict(git.files(parent))
    pointers = []
    for kind, path, content in changes.operations:
        if kind == "file":
            files[path] = content
        elif kind == "lfsFile":
            size = large.keep(content)
            pointers.append(gits.blob(pointer_to(content, size)))
            files[path] = pointers[-1].id.decode()
        elif kind == "deletedFile":
            if files.pop(path, None) is None:
                raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
        else:
            files = {name: blob for name, blob in files.items() if not name.startswith(f"{path}/")}
    git.add(pointers)
    message = changes.summary + (f"\n\n{changes.description}" if changes.description else "")
    return git.commit(files, [parent], user.name, message)


def check_path(path: str) -> str:
    """Return a file's path without an ending slash; Refusal for one that git, or a checkout somewhere,
    would not take."""
    path = path.rstrip("/") if isinstance(path, str) else ""
    good = len(path.encode()) <= 1024 and all(_good_name(name) for name in path.split("/"))
    if not good:
        raise Refusal(400, f"Invalid path: {path}")
    return path


def _good_name(name: str) -> bool:
    shown = "".join(c for c in name if unicodedata.category(c) != "Cf")  # HFS does not see these
    printable = not any(unicodedata.category(c) == "Cc" for c in name)
    short = name not in ("", ".", "..") and len(name.encode()) <= 255
    return short and printable and not GITS.fullmatch(shown) and not WINDOWS.fullmatch(shown)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LINE):
        if len(line) == LINE:
            raise Refusal(413, f"A file in this commit has more than {REGULAR} bytes: upload it as a large file")
        if line.strip():
            yield line


def three_way(git: Git, ours: str, theirs: str) -> tuple[dict[str, str], list[str]]:
    """Merge two commits file by file: ({path: blob}, conflicting paths)."""
    before = set(git.history(ours))
    common = next((commit for commit in git.history(theirs) if commit in before), None)
    base = git.files(common) if common else {}
    mine, other = git.files(ours), git.files(theirs)
    merged, clash = {}, []
    for path in {*base, *mine, *other}:
        was, now, then = base.get(path), mine.get(path), other.get(path)
        if now != was and then != was and now != then:
            clash.append(path)
        elif blob := now if then == was else then:
            merged[path] = blob
    taken = set(_folders(merged))
    return merged, sorted([*clash, *(taken & set(merged))])


def _folders(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        parts = path.split("/")
        yield from ("/".join(parts[:n]) for n in range(1, len(parts)))
