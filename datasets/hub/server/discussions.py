"""Discussions and pull requests: texts, events and merges."""

import json
import time
from typing import Any

from . import git as gits
from .accounts import User, writer
from .commits import Changes, apply, three_way
from .refusal import Refusal
from .store import Hub, Repository

LIVE = ("open", "draft")
TEXT = 64 * 1024  # characters of a comment
TITLE = 500


def find(hub: Hub, repository: Repository, number: int) -> dict[str, Any]:
    """Return one discussion's row; Refusal if there is none."""
    rows = hub.database.ask("SELECT * FROM discussions WHERE repository = ? AND number = ?", repository.id, number)
    if not rows:
        raise Refusal(404, f"There is no discussion {number}")
    return dict(rows[0])


def listing(hub: Hub, repository: Repository) -> list[dict[str, Any]]:
    """Return all discussions, newest first."""
    rows = hub.database.ask("SELECT * FROM discussions WHERE repository = ? ORDER BY number DESC", repository.id)
    return [dict(row) for row in rows]


def events(hub: Hub, repository: Repository, number: int) -> list[dict[str, Any]]:
    """Return the events of a discussion, oldest first."""
    sql = "SELECT * FROM events WHERE repository = ? AND discussion = ? ORDER BY id"
    return [_event(row) for row in hub.database.ask(sql, repository.id, number)]


def start(hub: Hub, repository: Repository, user: User, title: str, text: str, status: str, pull: bool) -> int:
    """Open a discussion within a `change` and return its number."""
    rows = hub.database.ask("SELECT max(number) FROM discussions WHERE repository = ?", repository.id)
    number = (rows[0][0] or 0) + 1
    hub.database.ask(
        "INSERT INTO discussions VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
        *(repository.id, number, title[:TITLE], user.name, gits.stamp(time.time()), status, pull),
    )
    _comment(hub, repository, number, user, text)
    return number


def open_pull(hub: Hub, repository: Repository, user: User, title: str, text: str, pull: bool) -> int:
    """Return a discussion, or a draft of a pull request that has no commit yet."""
    with hub.database.change():
        number = start(hub, repository, user, title, text, "draft" if pull else "open", pull)
        if pull:
            hub.set_ref(repository, f"refs/pr/{number}", hub.resolve(repository, "main"))
    if pull:
        hub.copy_ref(repository, f"refs/pr/{number}")
    return number


def commit(
    hub: Hub, repository: Repository, user: User, revision: str, changes: Changes, pull: bool
) -> tuple[str, int]:
    """Commit to a branch, to a pull request (refs/pr/N), or as a new pull request: (commit, its number or 0)."""
    reference = revision if revision.startswith("refs/pr/") else f"refs/heads/{revision}"
    with hub.database.change():
        parent = hub.ref(repository, reference)
        if parent is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        if not parent.startswith(changes.parent):
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        number = int(reference.removeprefix("refs/pr/")) if reference.startswith("refs/pr/") else 0
        if number and find(hub, repository, number)["status"] not in LIVE:
            raise Refusal(400, f"The pull request {number} is not open")
        made = apply(hub, repository, user, parent, changes)
        if pull:
            number = start(hub, repository, user, changes.summary, changes.description, "open", True)
            reference = f"refs/pr/{number}"
        if number:
            _add(hub, repository, number, user, "commit", subject=changes.summary, oid=made)
        hub.set_ref(repository, reference, made)
    hub.copy_ref(repository, reference)
    return made, number


def comment(hub: Hub, repository: Repository, number: int, user: User, text: str) -> dict[str, Any]:
    """Comment on a discussion."""
    with hub.database.change():
        find(hub, repository, number)
        return _comment(hub, repository, number, user, text)


def change(hub: Hub, repository: Repository, number: int, user: User, field: str, value: str) -> dict[str, Any]:
    """Set the title or the status; allowed to its author and the repository's writers."""
    with hub.database.change():
        found = find(hub, repository, number)
        if found["author"] != user.name:
            hub.require_writer(user, repository.namespace, repository.name)
        if field == "status":
            if value not in ("open", "closed") or found["status"] == "merged":
                raise Refusal(400, f"A discussion that is {found['status']} cannot become {value}")
            made = _add(hub, repository, number, user, "status-change", status=value)
        else:
            value = value[:TITLE]
            made = _add(hub, repository, number, user, "title-change", **{"from": found["title"], "to": value})
        column = "status" if field == "status" else "title"
        sql = f"UPDATE discussions SET {column} = ? WHERE repository = ? AND number = ?"
        hub.database.ask(sql, value, repository.id, number)
        return made


def merge(hub: Hub, repository: Repository, number: int, user: User, text: str = "") -> dict[str, Any]:
    """Merge a pull request into main; Refusal 409 with the conflicting paths."""
    git = hub.git(repository)
    with hub.database.change():
        found = find(hub, repository, number)
        if not found["pull"] or found["status"] not in LIVE:
            raise Refusal(
                400, f"Discussion {number} is not a pull request that could be merged: it is {found['status']}"
            )
        ours, theirs = hub.resolve(repository, "main"), hub.resolve(repository, f"refs/pr/{number}")
        files, clash = three_way(git, ours, theirs)
        if clash:
            raise Refusal(409, f"Merge conflict in {', '.join(clash)}")
        made = git.commit(files, [ours, theirs], user.name, f"{found['title']} (#{number})")
        hub.set_ref(repository, "refs/heads/main", made)
        if text:
            _comment(hub, repository, number, user, text)
        event = _add(hub, repository, number, user, "status-change", status="merged")
        sql = "UPDATE discussions SET status = 'merged', merge_commit = ?, base_commit = ?"
        hub.database.ask(f"{sql} WHERE repository = ? AND number = ?", made, ours, repository.id, number)
    hub.copy_ref(repository, "refs/heads/main")
    return event


def may_commit(hub: Hub, repository: Repository, user: User | None, revision: str, pull: bool) -> User:
    """Return the user if they may commit there: anybody who reads may open a pull request, and go on with their own."""
    user = writer(user)
    number = revision.removeprefix("refs/pr/")
    own = number != revision and number.isdigit() and find(hub, repository, int(number))["author"] == user.name
    return user if pull or own else hub.require_writer(user, repository.namespace, repository.name)


def _comment(hub: Hub, repository: Repository, number: int, user: User, text: str) -> dict[str, Any]:
    now = gits.stamp(time.time())
    latest = {"raw": text[:TEXT], "html": "", "updatedAt": now, "author": {"name": user.name}}
    return _add(hub, repository, number, user, "comment", edited=False, hidden=False, history=[], latest=latest)


def _add(hub: Hub, repository: Repository, number: int, user: User, type: str, **data: Any) -> dict[str, Any]:
    sql = (
        "INSERT INTO events (repository, discussion, type, author, created, data) VALUES (?, ?, ?, ?, ?, ?) RETURNING *"
    )
    now = gits.stamp(time.time())
    return _event(hub.database.ask(sql, repository.id, number, type, user.name, now, json.dumps(data))[0])


def _event(row) -> dict[str, Any]:
    who = {"name": row["author"], "type": "user"}
    return {
        "id": f"{row['id']:024x}",
        "type": row["type"],
        "createdAt": row["created"],
        "author": who,
        "data": json.loads(row["data"]),
    }
