"""Hubs that answer requests: resolve a reference once, fetch a commit once, search, publish."""

import contextlib
import glob
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from dulwich.objects import Blob

from .. import atomic
from . import reference, repository
from .client import ask, client, is_here, log, reach
from .place import Place
from .reference import Ref

FOUND = ["sha", "tags", "cardData", "lastModified", "author", "private"]  # what a search asks for
MOST = 1000  # repositories that a search looks at
SETTINGS = ("README.md", ".json", ".yml", ".yaml")  # files that say what those in the folders below them are


def resolve(ref: Ref, kind: str, place: Place) -> Ref:
    """Pin the reference to a commit, by one request unless it is pinned already."""
    reference.folder(ref, kind)  # checks the kind
    if ref.pinned:
        return ref
    newest = place.cache / reference.folder(ref, kind) / "newest" / hashlib.sha256(str(ref).encode()).hexdigest()
    if client().constants.is_offline_mode() and newest.is_file() and not (place.name == "local" or is_here(place.url)):
        known = Ref(ref.repo, newest.read_text())
        if known.pinned:
            log.warning(
                "HF_HUB_OFFLINE is set: using %s at %s, its newest commit when it was last looked up",
                ref,
                known.revision,
            )
            return known
    api = place.api()
    info = ask(
        api.endpoint,
        lambda: api.repo_info(ref.repo, repo_type=kind, revision=ref.revision),
        place.name,
        f"{kind} {ref.repo}",
    )
    if not isinstance(info.sha, str) or not reference.is_commit(info.sha):
        raise ValueError(f"{place.name} does not say which commit {ref} is: it does not answer like a Hub")
    with contextlib.suppress(OSError):  # only for later use without a network
        atomic.write(newest, info.sha.encode())
    return Ref(ref.repo, info.sha)


def snapshot(ref: Ref, kind: str, place: Place, under: str = "") -> Path:
    """Return the folder with the files of a pinned reference, without a request if they were fetched before.

    Every file is checked against the digests of the hub's listing when it has been fetched, and its size each time.
    With `under`, only the files below that folder of it are fetched, and the cards and settings in those above it.
    """
    sha, prefix = str(ref.revision), f"{under}/" if under else ""
    home = place.cache / reference.folder(ref, kind)
    part = f"-{hashlib.sha256(under.encode()).hexdigest()[:8]}" if under else ""
    mark, folder = home / "verified" / f"{sha}{part}", home / "snapshots" / sha
    if mark.is_file() and _listed(home, sha) is not None and not _is_missing(home, sha, prefix):
        return folder
    api, what = place.api(), f"{kind} {ref}"
    reach(api.endpoint, place.name)
    listing = ask(
        api.endpoint,
        lambda: list(api.list_repo_tree(ref.repo, repo_type=kind, revision=sha, recursive=True)),
        place.name,
        what,
    )
    for one in listing:
        if not _is_safe(one.path):
            raise ValueError(f"{ref} has a file {one.path[:100]!r}, which would lie outside its folder: do not use it")
    if not any(one.path.startswith(prefix) for one in listing):
        raise ValueError(f"{ref} at {place.name} has no folder {under!r}")
    log.info("fetching %s from %s", ref, place.name)
    how: dict[str, Any] = {"repo_type": kind, "revision": sha, "cache_dir": place.cache}
    above = [f"{folder}/".removeprefix("./") for folder in PurePosixPath(under).parents]
    beside = [path for path in (one.path for one in listing) if path.endswith(SETTINGS) and _folder(path) in above]
    how |= {"allow_patterns": [f"{glob.escape(prefix)}*", *map(glob.escape, beside)]} if under else {}
    for attempt in range(2):
        ask(api.endpoint, lambda: api.snapshot_download(ref.repo, **how), place.name, what)
        wanted = {name: entry for name, entry in (_listed(home, sha) or {}).items() if name.startswith(prefix)}
        damaged = [name for name, entry in wanted.items() if not _is_whole(folder / name, entry)]
        for name in damaged:  # links into the cache of this hub
            (folder / name).resolve().unlink(missing_ok=True)
            (folder / name).unlink(missing_ok=True)
        if damaged and attempt:
            raise ValueError(f"{damaged[0]} of {ref} arrived damaged from {place.name}: try again")
        if not damaged:
            break
    atomic.write(mark, b"")
    return folder


def forget(ref: Ref, kind: str, place: Place) -> None:
    """Delete everything that was fetched of a repository from this machine."""
    shutil.rmtree(place.cache / reference.folder(ref, kind), ignore_errors=True)


def search(kind: str, place: Place, text: str, tags: Sequence[str], most: int) -> list[tuple[Ref, list[str], dict]]:
    """Return (pinned reference, tags, card metadata) of repositories with all tags and words, newest first."""
    api = place.api()
    reach(api.endpoint, place.name)
    call = {"model": api.list_models, "dataset": api.list_datasets}[kind]
    query: dict[str, Any] = {"filter": list(tags), "search": text or None, "limit": min(most, MOST), "expand": FOUND}
    found = ask(api.endpoint, lambda: list(call(sort="last_modified", **query)), place.name, f"answer to {text!r}")
    rows = []
    for one in found:
        try:
            ref = Ref(Ref.parse(str(one.id)).repo, str(one.sha))
        except ValueError:
            continue  # a name that no reference can have
        if ref.pinned:
            card = one.card_data.to_dict() if one.card_data else {}
            rows.append((ref, [str(tag) for tag in one.tags or ()], card))
    return rows


def publish(folder: Path, repo: str, kind: str, place: Place, private: bool, message: str) -> Ref:
    """Upload a folder as one commit, into a new repository if there is none; only new files are sent."""
    repository.names(folder)
    api, what = place.api(), f"{kind} {repo}"
    if not api.token:
        raise ValueError(f"{place.name} takes uploads only with a token: {_how_to_log_in(place)}")
    ask(api.endpoint, lambda: api.create_repo(repo, repo_type=kind, private=private, exist_ok=True), place.name, what)
    made = ask(
        api.endpoint,
        lambda: api.upload_folder(repo_id=repo, repo_type=kind, folder_path=folder, commit_message=message),
        place.name,
        what,
    )
    return Ref(repo, made.oid)


def read_file(ref: Ref, kind: str, name: str, place: Place) -> bytes:
    """Return one file of a pinned reference, empty if it has none of that name."""
    missing = client().errors.RemoteEntryNotFoundError
    how: dict[str, Any] = {"repo_type": kind, "revision": ref.revision, "cache_dir": place.cache}
    api = place.api()

    def fetch() -> str:
        try:
            return api.hf_hub_download(ref.repo, name, **how)
        except missing:
            return ""

    path = ask(api.endpoint, fetch, place.name, f"{kind} {ref}")
    return Path(path).read_bytes() if path else b""


def files(ref: Ref, kind: str, place: Place) -> dict[str, int]:
    """Return {name: bytes} of a pinned reference."""
    api, sha = place.api(), ref.revision
    listing = ask(
        api.endpoint,
        lambda: list(api.list_repo_tree(ref.repo, repo_type=kind, revision=sha, recursive=True)),
        place.name,
        f"{kind} {ref}",
    )
    return {one.path: one.size for one in listing if getattr(one, "size", None) is not None and hasattr(one, "blob_id")}


def is_published(ref: Ref, kind: str, place: Place) -> bool:
    """Return whether a commit is one of the main branch: a repository's requests are anybody's,
    and have commits as well."""
    api, what = place.api(), f"{kind} {ref.repo}"
    ours = ask(api.endpoint, lambda: api.list_repo_commits(ref.repo, repo_type=kind), place.name, what)
    return ref.revision in {one.commit_id for one in ours}


def _how_to_log_in(place: Place) -> str:
    return "log in with `hf auth login`" if place.name == "hf" else "put yours into REINCARNATE_HUB_TOKEN"


def _listed(home: Path, sha: str) -> dict[str, dict] | None:
    """Return the client's stored listing of a commit: {name: {size, blob_id, lfs_sha256?}}."""
    try:
        found = json.loads((home / "trees" / f"{sha}.json").read_bytes())["files"]
        return (
            found if all(map(_is_safe, found)) and all(isinstance(one["size"], int) for one in found.values()) else None
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _folder(path: str) -> str:
    """Return a file's folder with a trailing slash, empty at the top level."""
    return path[: path.rfind("/") + 1]


def _is_missing(home: Path, sha: str, prefix: str) -> bool:
    """Return whether a file of a commit with this prefix is missing or of another size."""
    listed = {name: entry for name, entry in (_listed(home, sha) or {}).items() if name.startswith(prefix)}
    paths = {home / "snapshots" / sha / name: entry["size"] for name, entry in listed.items()}
    return not all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def _is_whole(path: Path, entry: dict) -> bool:
    if not path.is_file() or path.stat().st_size != entry["size"]:
        return False
    if entry.get("lfs_sha256"):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry["lfs_sha256"]
    return Blob.from_string(path.read_bytes()).id.decode() == entry["blob_id"]


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and not any(c in name for c in "\\\0:")
