"""Routes for files: listings, downloads, uploads, commits."""

import base64
import fnmatch
import re
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from . import commits, describe, discussions
from .accounts import User, writer
from .client_limits import COMMIT, LARGE
from .git import Git
from .large_files import OID, pointer
from .refusal import Refusal
from .routes import Call, Routes, page, reads, truth
from .store import Repository

routes = Routes()
RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
LISTED = 1000  # files in one answer


@routes.at("GET", "/api{repo}/tree/(?P<revision>[^/]+)(/(?P<path>.*))?")
def tree(call: Call, kind: str, name: str, revision: str, path: str = ""):
    found = call.find(kind, name)
    git, commit = call.hub.git(found), call.hub.resolve(found, revision)
    files, folders = git.files(commit), git.folders(commit)
    path, deep = path.strip("/"), truth(call.query.get("recursive"))
    start = f"{path}/" if path else ""
    if path and path not in files and path not in folders:
        raise Refusal(404, f"{path} does not exist on {revision}", "EntryNotFound")

    def wanted(one: str) -> bool:
        return one.startswith(start) and (deep or "/" not in one[len(start) :])

    expand = commit if truth(call.query.get("expand")) else ""
    told = [{"type": "directory", "oid": oid, "size": 0, "path": one} for one, oid in folders.items() if wanted(one)]
    told += [describe.entry(git, one, blob, expand) for one, blob in files.items() if wanted(one) or one == path]
    return page(call, sorted(told, key=lambda one: one["path"]), LISTED)


@routes.at("POST", "/api{repo}/paths-info/(?P<revision>[^/]+)", reads, LARGE, open=True)
def paths_info(call: Call, kind: str, name: str, revision: str):
    found = call.find(kind, name)
    git, commit = call.hub.git(found), call.hub.resolve(found, revision)
    files, folders = git.files(commit), git.folders(commit)
    form = isinstance(call.body, dict)
    paths, expand = (call.body.get("paths", []), str(call.body.get("expand"))) if form else (
        call.body.getlist("paths"), call.body.get("expand"))  # fmt: skip
    told = []
    for path in paths:
        if path in files:
            told.append(describe.entry(git, path, files[path], commit if truth(expand) else ""))
        elif path in folders:
            told.append({"type": "directory", "oid": folders[path], "size": 0, "path": path})
    return told


@routes.at(
    "GET HEAD",
    r"/(?P<place>datasets/|api/models/|api/datasets/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)",
)
def download(call: Call, name: str, revision: str, path: str, place: str = ""):
    found = call.find("dataset" if "datasets" in place else "model", name)
    git, commit = call.hub.git(found), call.hub.resolve(found, revision)
    blob = git.files(commit).get(path)
    if blob is None:
        raise Refusal(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit})
    headers = {
        "X-Repo-Commit": commit,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.rpartition('/')[2])}",
        "X-Content-Type-Options": "nosniff",
    }
    data = git.blob(blob)
    if large := pointer(data):
        oid, size = large
        file = call.hub.large(found).path(oid)
        if not file.is_file():
            raise Refusal(
                404, f"The content of the large file {path} is missing", "EntryNotFound", {"X-Repo-Commit": commit}
            )
        headers |= {"ETag": f'"{oid}"', "X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(size)}
        return FileResponse(file, headers=headers, media_type="application/octet-stream")
    return _part(data, call.headers.get("range", ""), {**headers, "ETag": f'"{blob}"'})


def _part(data: bytes, wanted: str, headers: dict[str, str]) -> Response:
    """Return the bytes, or the requested range of them."""
    kind, found = "application/octet-stream", RANGE.fullmatch(wanted)
    if not (found and (found[1] or found[2]) and data):
        return Response(data, 200, headers, kind)
    start = int(found[1]) if found[1] else max(0, len(data) - int(found[2]))
    stop = min(int(found[2]) + 1, len(data)) if found[1] and found[2] else len(data)
    if start >= stop:
        raise Refusal(416, "Range not satisfiable", headers={"Content-Range": f"bytes */{len(data)}"})
    span = f"bytes {start}-{stop - 1}/{len(data)}"
    return Response(data[start:stop], 206, {**headers, "Content-Range": span}, kind)


def _may_commit(call: Call, kind: str, name: str, revision: str) -> tuple[Repository, User]:
    found = call.find(kind, name)
    pull = truth(call.query.get("create_pr"))
    return found, discussions.may_commit(call.hub, found, call.user, revision, pull)


@routes.at("POST", "/api{repo}/preupload/(?P<revision>[^/]+)", _may_commit, LARGE)
def preupload(call: Call, kind: str, name: str, revision: str):
    found, _ = _may_commit(call, kind, name, revision)
    git, files = call.hub.git(found), call.hub.files(found, revision)
    ignored = [line.strip() for line in (call.body.get("gitIgnore") or "").splitlines()]
    ignored = [line for line in ignored if line and not line.startswith("#")]
    patterns = _large_patterns(git, files)

    def told(file: dict) -> dict:
        path = file["path"]
        base, sample = path.rpartition("/")[2], base64.b64decode(file.get("sample") or "")
        large = file["size"] > commits.REGULAR or b"\0" in sample or any(fnmatch.fnmatch(base, one) for one in patterns)
        there = describe.entry(git, path, files[path]) if path in files else {}
        oid = {"oid": there["lfs"]["oid"] if "lfs" in there else there["oid"]} if there else {}  # spares an upload
        skip = any(fnmatch.fnmatch(one, pattern) for one in (path, base) for pattern in ignored)
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": skip, **oid}

    return {"files": [told(file) for file in call.body["files"]]}


def _large_patterns(git: Git, files: dict[str, str]) -> list[str]:
    text = git.blob(files[".gitattributes"]).decode(errors="replace") if ".gitattributes" in files else ""
    return [line.split()[0] for line in text.splitlines()[:1000] if "filter=lfs" in line]


def _may_upload(call: Call, name: str, place: str = "") -> tuple[str, Repository]:
    kind = "dataset" if place else "model"
    writer(call.user)  # to any repository: a pull request may have large files
    return kind, call.find(kind, name)


@routes.at("POST", r"/(?P<place>datasets/)?(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch", _may_upload, LARGE)
def batch(call: Call, name: str, place: str = ""):
    kind, found = _may_upload(call, name, place)
    large = call.hub.large(found)

    def told(file: dict) -> dict:
        oid, size = file["oid"], int(file["size"])
        if not OID.fullmatch(oid) or size < 0:
            return {"oid": oid, "size": size, "error": {"code": 422, "message": "Invalid SHA-256 or size"}}
        if large.renew(oid):  # without actions, the client does not send it again
            return {"oid": oid, "size": size}
        address = f"{call.origin}/upload/{kind}s/{found.name}/{oid}/{size}"
        put = f"{address}?{call.hub.signer.query(kind, found.id, oid, size)}"
        actions = {"upload": {"href": put, "header": {}}, "verify": {"href": address, "header": {}}}
        return {"oid": oid, "size": size, "actions": actions}

    return {"transfer": "basic", "objects": [told(file) for file in call.body["objects"]]}


@routes.at("POST", r"/upload{repo}/(?P<oid>[0-9a-f]{64})/(?P<size>\d{1,15})", reads, open=True)
def verify(call: Call, kind: str, name: str, oid: str, size: str):
    there = call.hub.large(call.find(kind, name)).find(oid)
    if there is None or there.stat().st_size != int(size):
        raise Refusal(404, "The large file is missing or has a different size")
    return {}


@routes.at("GET", "/api{repo}/xet-(?P<mode>read|write)-token/(?P<revision>[^/]+)")
def xet(call: Call, kind: str, name: str, mode: str, revision: str):
    raise Refusal(501, "This hub has no Xet storage: set HF_HUB_DISABLE_XET=1")


@routes.at("POST", "/api{repo}/commit/(?P<revision>[^/]+)", _may_commit, COMMIT)
def commit(call: Call, kind: str, name: str, revision: str):
    (found, user), pull = _may_commit(call, kind, name, revision), truth(call.query.get("create_pr"))
    changes = commits.read(call.file, call.hub.git(found))
    made, number = discussions.commit(call.hub, found, user, revision, changes, pull)
    told = {"success": True, "commitOid": made, "commitUrl": f"{call.address(found)}/commit/{made}", "hookOutput": ""}
    return told | ({"pullRequestUrl": f"{call.address(found)}/discussions/{number}"} if pull else {})
