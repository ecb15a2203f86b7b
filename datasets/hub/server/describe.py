"""Descriptions of repositories and files in the format of the Hub's API."""

import hashlib
from typing import Any

from .cards import LIMIT, metadata
from .git import Git
from .large_files import pointer
from .store import Hub, Repository

REMEMBERED = 20_000  # sizes of blobs, and cards
TAGGED = {  # what else of a card becomes a tag, and how it is called there
    "datasets": "dataset",
    "language": "language",
    "task_categories": "task_categories",
    "task_ids": "task_ids",
    "size_categories": "size_categories",
    "license": "license",
    "base_model": "base_model",
}
UNSCANNED = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".cleanrl_model", ".zip")

_sizes: dict[str, tuple[int, tuple[str, int] | None]] = {}
_cards: dict[str, dict[str, Any]] = {}


def size_of(git: Git, blob: str) -> tuple[int, tuple[str, int] | None]:
    """Return (bytes in git, the large file that it points to)."""
    if blob not in _sizes:
        _forget(_sizes)
        data = git.blob(blob)
        _sizes[blob] = len(data), pointer(data)
    return _sizes[blob]


def entry(git: Git, path: str, blob: str, expand: str = "") -> dict[str, Any]:
    """Return a file's entry in a tree listing; `expand`: the commit to state as its last one."""
    size, large = size_of(git, blob)
    told: dict[str, Any] = {"type": "file", "oid": blob, "size": large[1] if large else size, "path": path}
    if large:
        told["lfs"] = {"oid": large[0], "size": large[1], "pointerSize": size}
    if expand:
        info = git.info(expand)
        told["lastCommit"] = {"id": expand, "title": info.title, "date": info.date}
        pickle = {"status": "unscanned"} if path.endswith(UNSCANNED) else None  # nothing is scanned here
        told["securityFileStatus"] = {"status": "unscanned", "avScan": None, "pickleImportScan": pickle}
    return told


def card(git: Git, commit: str) -> dict[str, Any]:
    """Return the metadata of the README.md at a commit; empty if missing or unreadable."""
    readme = git.files(commit).get("README.md")
    if readme is None:
        return {}
    if readme not in _cards:
        _forget(_cards)
        _cards[readme] = metadata(git.blob(readme)[: 2 * LIMIT].decode(errors="replace"))
    return _cards[readme]


def tags(kind: str, found: dict[str, Any], paths: dict[str, str]) -> list[str]:
    """Return a repository's searchable text."""
    result = [*_texts(found.get("tags")), *_texts(found.get("library_name")), *_texts(found.get("pipeline_tag"))]
    for key, name in TAGGED.items():
        result += [f"{name}:{value}" for value in _texts(found.get(key))]
    if kind == "dataset" and "eval.yaml" in paths:
        result.append("benchmark:official")
    return list(dict.fromkeys(result))


def repository(hub: Hub, one: Repository, revision: str = "main", blobs: bool = False) -> dict[str, Any]:
    """Return everything about a repository at a revision."""
    git, commit = hub.git(one), hub.resolve(one, revision)
    paths, found = git.files(commit), card(git, commit)
    entries = [entry(git, path, blob) for path, blob in paths.items()]
    told = {
        "_id": hashlib.sha256(f"{one.kind}/{one.id}".encode()).hexdigest()[:24],
        "id": one.name,
        "author": one.namespace,
        "sha": commit,
        "private": one.private,
        "gated": False,
        "disabled": False,
        "createdAt": one.created,
        "lastModified": git.info(commit).date,
        "likes": 0,
        "downloads": 0,
        "tags": tags(one.kind, found, paths),
        "usedStorage": sum(file["size"] for file in entries),
        "cardData": found,
        "siblings": [_sibling(file, blobs) for file in entries],
    }
    if one.kind == "model":
        told |= {
            "modelId": one.name,
            **{key: found.get(key) for key in ("pipeline_tag", "library_name", "model-index")},
        }
    return told


def _sibling(file: dict[str, Any], blobs: bool) -> dict[str, Any]:
    told = {"rfilename": file["path"]}
    if blobs:
        told |= {"size": file["size"], "blobId": file["oid"]}
        if large := file.get("lfs"):
            told["lfs"] = {"sha256": large["oid"], "size": large["size"], "pointerSize": large["pointerSize"]}
    return told


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    return [str(value)] if value else []


def _forget(remembered: dict) -> None:
    while len(remembered) >= REMEMBERED:
        remembered.pop(next(iter(remembered)), None)
