"""Routes for discussions and pull requests."""

import difflib

from . import discussions
from .accounts import writer
from .client_limits import LARGE
from .commits import three_way
from .git import Git
from .routes import Call, Routes, reads
from .store import Repository

routes = Routes()
LISTED = 10
DIFF = 1 << 20  # characters of a diff


def _brief(found: Repository, row: dict, comments: int) -> dict:
    return {
        "num": row["number"],
        "title": row["title"],
        "createdAt": row["created"],
        "status": row["status"],
        "isPullRequest": bool(row["pull"]),
        "author": {"name": row["author"], "type": "user"},
        "repo": {"name": found.name, "type": found.kind},
        "numComments": comments,
    }


@routes.at("GET", "/api{repo}/discussions")
def listing(call: Call, kind: str, name: str):
    found, query = call.find(kind, name), call.query
    rows, type, status = discussions.listing(call.hub, found), query.get("type", "all"), query.get("status", "all")
    rows = [
        row
        for row in rows
        if (type == "all" or bool(row["pull"]) == (type == "pull_request"))
        and (not query.get("author") or row["author"] == query["author"])
        and (status == "all" or (row["status"] in discussions.LIVE) == (status == "open"))
    ]
    start = int(query.get("p") or 0) * LISTED
    told = [_brief(found, row, 0) for row in rows[start : start + LISTED]]
    return {"count": len(rows), "start": start, "discussions": told}


@routes.at("POST", "/api{repo}/discussions", reads, LARGE)
def start(call: Call, kind: str, name: str):
    found, user, body = call.find(kind, name), writer(call.user), call.body
    pull = bool(body.get("pullRequest"))
    number = discussions.open_pull(call.hub, found, user, body["title"], body.get("description") or "", pull)
    return {"num": number, "url": f"{call.address(found)}/discussions/{number}", "pullRequest": pull}


@routes.at("GET", r"/api{repo}/discussions/(?P<number>\d{1,9})")
def tell(call: Call, kind: str, name: str, number: str):
    found = call.find(kind, name)
    row = discussions.find(call.hub, found, int(number))
    events = discussions.events(call.hub, found, int(number))
    told = _brief(found, row, len(events)) | {"events": events}
    if row["pull"]:
        git, head = call.hub.git(found), call.hub.resolve(found, f"refs/pr/{number}")
        base = row["base_commit"] or call.hub.resolve(found, "main")
        clash = [] if row["status"] == "merged" else three_way(git, base, head)[1]
        merged = {"mergeCommitId": row["merge_commit"]} if row["merge_commit"] else {}
        told |= {"changes": {"base": "refs/heads/main", **merged}, "filesWithConflicts": clash}
        told["diff"] = diff(git, base, head)
    return told


@routes.at("POST", r"/api{repo}/discussions/(?P<number>\d{1,9})/(?P<what>comment|title|status|merge)", reads, LARGE)
def act(call: Call, kind: str, name: str, number: str, what: str):
    found, user, body = call.find(kind, name), writer(call.user), call.body or {}
    if what == "merge":
        call.find(kind, name, write=True)
        return {"newStatus": discussions.merge(call.hub, found, int(number), user, body.get("comment") or "")}
    if what == "comment":
        return {"newMessage": discussions.comment(call.hub, found, int(number), user, body["comment"])}
    made = discussions.change(call.hub, found, int(number), user, what, body[what])
    return {"newStatus" if what == "status" else "newTitle": made}


def diff(git: Git, base: str, head: str) -> str:
    """Return what a pull request changes since it left main, as a unified diff;
    only that there is one for binary files."""
    before = set(git.history(base))
    common = next((commit for commit in git.history(head) if commit in before), None)
    old, new = git.files(common) if common else {}, git.files(head)
    text = ""
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path) and len(text) < DIFF:
            text += _file_diff(git, path, old.get(path), new.get(path))
    return text[:DIFF]


def _file_diff(git: Git, path: str, old: str | None, new: str | None) -> str:
    one, two = (git.blob(blob) if blob else b"" for blob in (old, new))
    head = f"diff --git a/{path} b/{path}\n"
    names = f"a/{path}" if old else "/dev/null", f"b/{path}" if new else "/dev/null"
    if b"\0" in one or b"\0" in two or len(one) + len(two) > DIFF:
        return f"{head}Binary files {names[0]} and {names[1]} differ\n"
    before, after = (data.decode(errors="replace").splitlines() for data in (one, two))
    return head + "".join(f"{line}\n" for line in difflib.unified_diff(before, after, *names, lineterm=""))
