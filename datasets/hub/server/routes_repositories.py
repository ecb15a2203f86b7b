"""Routes for users and repositories: whoami, create, delete, list, describe, branches and tags."""

import re

import yaml
from starlette.responses import JSONResponse, Response

from . import cards, describe, evaluations
from .client_limits import LARGE
from .names import KINDS
from .refusal import Refusal, login_needed
from .routes import Call, Routes, limit_of, page, truth, writes
from .store import Repository

routes = Routes()
REFERENCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
LISTED = 1000  # repositories in one answer
SORTS = {"lastModified", "createdAt", "downloads", "likes"}


@routes.at("GET", "/api/whoami-v2")
def whoami(call: Call):
    if call.user is None:
        raise login_needed()
    name, role = call.user.name, "write" if call.user.writes else "read"
    return {
        "type": "user",
        "id": name,
        "name": name,
        "fullname": name,
        "orgs": [{"type": "org", "name": one} for one in call.user.organisations],
        "auth": {"type": "access_token", "accessToken": {"displayName": "reincarnate", "role": role}},
    }


@routes.at("GET", "/api/agent-harnesses")
def harnesses(call: Call):
    return {"standardEnvVars": [], "harnesses": {}}


@routes.at("POST", "/api/validate-yaml", body=LARGE, open=True)
def validate(call: Call):
    front = cards.front_matter(call.body["content"])
    errors = []
    try:
        if front is not None and not isinstance(cards.read_yaml(front), dict):
            errors.append({"message": "metadata is not a mapping"})
    except yaml.YAMLError as error:
        errors.append({"message": str(error)})
    warnings = [] if front else [{"message": "empty or missing yaml metadata in repo card"}]
    return JSONResponse({"errors": errors, "warnings": warnings}, 400 if errors else 200)


@routes.at("POST", "/api/repos/create")
def create(call: Call):
    kind, namespace = call.body.get("type") or "model", call.body.get("organization") or getattr(call.user, "name", "")
    user = call.hub.require_writer(call.user, namespace, f"the namespace {namespace}")
    name, private = (
        f"{namespace}/{call.body['name']}",
        call.body.get("visibility") == "private" or call.body.get("private"),
    )
    try:
        made = call.hub.create(kind, name, bool(private), user)
    except Refusal as refusal:
        if refusal.status != 409:
            raise
        there = call.hub.find(kind, name, user)
        return JSONResponse({"error": refusal.message, "url": call.address(there)}, 409)  # the client reads the url
    return {"url": call.address(made), "name": made.name, "id": made.name}


@routes.at("DELETE", "/api/repos/delete")
def delete(call: Call):
    namespace = call.body.get("organization") or getattr(call.user, "name", "")
    call.hub.delete(call.find(call.body.get("type") or "model", f"{namespace}/{call.body['name']}", write=True))
    return Response("OK")


@routes.at("PUT", "/api{repo}/settings", writes)
def settings(call: Call, kind: str, name: str):
    found = call.find(kind, name, write=True)
    if "visibility" in call.body:
        call.hub.set_private(found, call.body["visibility"] == "private")
    return call.body


@routes.at("GET", "/api/(?P<kind>model|dataset|space)s")
def listing(call: Call, kind: str):
    wanted, expand = call.query.getlist("filter"), call.query.getlist("expand")
    wanted += [call.query["pipeline_tag"]] if call.query.get("pipeline_tag") else []
    words = [word.lower() for text in call.query.getlist("search") for word in text.split()]
    author, found = call.query.get("author"), []
    for one in call.hub.all(kind) if kind in KINDS else ():
        if not call.hub.reads(call.user, one) or (author and one.namespace.lower() != author.lower()):
            continue
        told = describe.repository(call.hub, one)
        text = " ".join([one.name, *told["tags"]]).lower()
        if all(word in text for word in words) and set(wanted) <= set(told["tags"]):
            found.append((told, one))
    sort = call.query.get("sort")
    found.sort(key=lambda pair: pair[0][sort if sort in SORTS else "lastModified"], reverse=True)
    drop = {"siblings", "cardData", "model-index"} if not truth(call.query.get("full")) else set()
    drop -= {"cardData"} if truth(call.query.get("cardData")) else set()
    items = [_expanded(call, one, told, expand) for told, one in found] if expand else [
        {key: value for key, value in told.items() if key not in drop} for told, _ in found
    ]  # fmt: skip
    return page(call, items, limit_of(call, LISTED))


@routes.at("GET", "/api{repo}(/revision/(?P<revision>[^/]+))?")
def info(call: Call, kind: str, name: str, revision: str = "main"):
    found, expand = call.find(kind, name), call.query.getlist("expand")
    told = describe.repository(call.hub, found, revision, blobs=truth(call.query.get("blobs")))
    return _expanded(call, found, told, expand) if expand else told


def _expanded(call: Call, found: Repository, told: dict, expand: list[str]) -> dict:
    if "evalResults" in expand:
        told["evalResults"] = evaluations.results(call.hub, found)
    return {key: value for key, value in told.items() if key in ("_id", "id", *expand)}


@routes.at("GET", "/api{repo}/auth-check(?P<write>/write)?")
def auth_check(call: Call, kind: str, name: str, write: str = ""):
    call.find(kind, name, write=bool(write))
    return {"ok": True}


@routes.at("GET", "/api{repo}/refs")
def refs(call: Call, kind: str, name: str):
    found = call.find(kind, name)

    def below(start: str) -> list[dict[str, str]]:
        there = call.hub.refs(found, start)
        return [{"name": ref.removeprefix(start), "ref": ref, "targetCommit": commit} for ref, commit in there.items()]

    pulls = [{**one, "name": one["ref"]} for one in below("refs/pr/")]
    return {"branches": below("refs/heads/"), "tags": below("refs/tags/"), "converts": [], "pullRequests": pulls}


@routes.at("GET", "/api{repo}/commits/(?P<revision>[^/]+)")
def commits(call: Call, kind: str, name: str, revision: str):
    found = call.find(kind, name)
    git, told = call.hub.git(found), []
    for commit in git.history(call.hub.resolve(found, revision)):
        one = git.info(commit)
        who = [{"user": one.author}]
        told.append({"id": commit, "title": one.title, "message": one.message, "date": one.date, "authors": who})
    return page(call, told, 50)


@routes.at("POST DELETE", "/api{repo}/(?P<what>branch|tag)/(?P<ref>[^/]+)", writes)
def branch_or_tag(call: Call, kind: str, name: str, what: str, ref: str):
    found, target = call.find(kind, name, write=True), (call.body or {}).get("startingPoint") or "main"
    if what == "tag" and call.method == "POST":
        ref, target = call.body["tag"], ref
    full = f"refs/{'heads' if what == 'branch' else 'tags'}/{ref}"
    if not REFERENCE.fullmatch(ref) or ".." in ref or ref.endswith((".", ".lock")) or ".lock/" in ref or "./" in ref:
        raise Refusal(400, f"Invalid reference for a {what}: {ref}")
    with call.hub.database.change():
        there = call.hub.refs(found)
        if call.method == "DELETE":
            if full == "refs/heads/main":
                raise Refusal(403, "The branch main cannot be deleted")
            if full not in there:
                raise Refusal(404, "Reference not found", "RevisionNotFound")
            call.hub.set_ref(found, full, None)
        else:
            if full in there:
                raise Refusal(409, f"Reference already exists: {full}")
            if any(one.startswith(f"{full}/") or full.startswith(f"{one}/") for one in there):
                raise Refusal(409, f"Reference is in the way of another one: {full}")
            call.hub.set_ref(found, full, call.hub.resolve(found, target))
    call.hub.copy_ref(found, full)
    return {"ok": True}


@routes.at("GET", "/api{repo}/leaderboard")
def leaderboard(call: Call, kind: str, name: str):
    found = call.find(kind, name)
    if kind != "dataset" or "eval.yaml" not in call.hub.files(found):
        raise Refusal(404, "This dataset has no leaderboard")
    bases = call.query.get("base_model", "").lower() != "false"
    return evaluations.leaderboard(call.hub, call.user, found, call.query.get("task_id"), bases)
