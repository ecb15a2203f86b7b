"""Pages for browsers: lists of repositories, cards, boards, and requests with their comments.

Only what everybody may see: a browser brings no token. Nothing can be changed here.
"""

import re
from typing import Any
from urllib.parse import quote

from . import describe, discussions
from .cards import FRONT, LIMIT
from .html import Safe, join, page, table, tag
from .markdown import render
from .names import KINDS
from .routes import PREFIX, Call, Routes
from .store import Repository

routes = Routes()
NAME = r"(?P<name>[^/]+/[^/]+)"
MOST = 500  # rows of a list
STATES = ("rejected", "self-reported", "re-scored", "re-trained", "promoted", "revoked")  # a verdict's first word
VERDICT = re.compile(rf"\*\*(.{{1,200}}): ({'|'.join(STATES)})\*\*")  # as `reincarnate verify` writes it
GENERAL = (  # tags of nearly everything
    "reinforcement-learning", "deep-reinforcement-learning", "reincarnating-rl", "tfds", "offline-rl",
)  # fmt: skip
GOOD = ("open", "merged", "re-scored", "re-trained", "promoted")


@routes.at("GET HEAD", "/")
def home(call: Call):
    """List boards, models, datasets and open requests."""
    found = {kind: [one for one in call.hub.all(kind) if call.hub.reads(call.user, one)] for kind in KINDS}
    boards = [one for one in found["dataset"] if "index.html" in call.hub.files(one)]
    plain = [one for one in found["dataset"] if one not in boards]
    waiting = [
        (one, row)
        for one in plain
        for row in discussions.listing(call.hub, one)
        if row["pull"] and row["status"] in discussions.LIVE
    ]
    rows = [[tag("a", one.name, href=f"/pages/{quote(one.name)}/"), _changed(call, one)] for one in boards]
    return page(
        "This hub",
        tag("p", "Teachers, logs and results that people share with the suite reincarnate. ", _hint(call)),
        tag("h2", "Boards"),
        table(("board", "changed"), rows, "No board yet: build one and upload it as a dataset repository."),
        tag("h2", "Open requests"),
        table(
            ("request", "repository", "by", "verdict or last comment"),
            [_request(call, *one) for one in waiting],
            "None is open.",
        ),
        tag("h2", f"Policies ({len(found['model'])})"),
        _listed(call, found["model"], "No policy yet."),
        tag("h2", f"Logs and results ({len(plain)})"),
        _listed(call, plain, "No dataset yet."),
    )


@routes.at("GET HEAD", f"/datasets/{NAME}")
def dataset(call: Call, name: str):
    """Show a dataset repository."""
    return _repository(call, "dataset", name)


@routes.at("GET HEAD", f"/(?!api/|datasets/|pages/|spaces/|models/){NAME}")
def model(call: Call, name: str):
    """Show a model repository."""
    return _repository(call, "model", name)


@routes.at("GET HEAD", f"/(?P<data>datasets/)?{NAME}/discussions")
def requests(call: Call, name: str, data: str = ""):
    """List the requests of a repository, with the last comment on each."""
    found = call.find("dataset" if data else "model", name)
    rows = [_request(call, found, row) for row in discussions.listing(call.hub, found)[:MOST]]
    listed = table(("request", "repository", "by", "verdict or last comment"), rows, "No requests yet.")
    return page(f"{name}: requests", tag("p", _link(found)), listed)


@routes.at("GET HEAD", rf"/(?P<data>datasets/)?{NAME}/discussions/(?P<number>\d{{1,9}})")
def request(call: Call, name: str, number: str, data: str = ""):
    """Show one request: its text, and all verdicts and comments in order."""
    found = call.find("dataset" if data else "model", name)
    row = discussions.find(call.hub, found, int(number))
    models = {one.name for one in call.hub.all("model") if call.hub.reads(call.user, one)}
    parts = [_event(event, models) for event in discussions.events(call.hub, found, int(number))]
    about = tag("p", _link(found), ", by ", row["author"], ", ", row["created"][:10], " ", _state(row["status"]))
    return page(f"{name}: request {number}", tag("h2", row["title"]), about, *parts)


def _repository(call: Call, kind: str, name: str):
    found = call.find(kind, name)
    git, commit = call.hub.git(found), call.hub.resolve(found, "main")
    files, info = git.files(commit), git.info(commit)
    told = describe.tags(kind, describe.card(git, commit), files)
    readme = git.blob(files["README.md"])[: 4 * LIMIT].decode(errors="replace") if "README.md" in files else ""
    base = f"/{PREFIX[kind]}{quote(name)}"
    listed = [
        [tag("a", path, href=f"{base}/resolve/{commit}/{quote(path)}"), f"{_size(git, blob):,}"]
        for path, blob in sorted(files.items())[:MOST]
    ]
    pulls = [row for row in discussions.listing(call.hub, found) if row["pull"]]
    live = sum(row["status"] in discussions.LIVE for row in pulls)
    asked = f"{len(pulls)} {'request' if len(pulls) == 1 else 'requests'}, {live} open"
    links: list[object] = [tag("a", asked, href=f"{base}/discussions")]
    if "index.html" in files:
        links += [", ", tag("a", "its board", href=f"/pages/{quote(name)}/")]
    return page(
        name,
        tag("p", kind, ", commit ", tag("code", commit[:12]), f", {info.date[:10]}, by ", info.author, ": ", *links),
        tag("p", join(told[:30], ", "), kind="soft"),
        render(FRONT.sub("", readme, count=1)) if readme else tag("p", "It has no card.", kind="soft"),
        tag("h2", f"Files ({len(files)})"),
        table(("file", "bytes"), listed, "It has no files."),
    )


def _size(git: Any, blob: str) -> int:
    size, large = describe.size_of(git, blob)
    return large[1] if large else size


def _listed(call: Call, found: list[Repository], empty: str) -> Safe:
    rows = [[_link(one), _changed(call, one), join(_tags(call, one)[:4], ", ")] for one in found[:MOST]]
    return table(("repository", "changed", "tags"), rows, empty)


def _tags(call: Call, one: Repository) -> list[str]:
    found = describe.card(call.hub.git(one), call.hub.resolve(one, "main")).get("tags")
    return [str(word) for word in found if word not in GENERAL] if isinstance(found, list) else []


def _link(one: Repository) -> Safe:
    return tag("a", one.name, href=f"/{PREFIX[one.kind]}{quote(one.name)}")


def _changed(call: Call, one: Repository) -> str:
    return call.hub.git(one).info(call.hub.resolve(one, "main")).date[:10]


def _request(call: Call, one: Repository, row: dict[str, Any]) -> list[object]:
    address = f"/{PREFIX[one.kind]}{quote(one.name)}/discussions/{row['number']}"
    title = join([f"{row['number']}: ", tag("a", row["title"], href=address), " ", _state(row["status"])])
    said = [event for event in discussions.events(call.hub, one, row["number"]) if event["type"] == "comment"][1:]
    return [title, _link(one), row["author"], _last(call, one, said[-1]) if said else "nothing yet"]


def _last(call: Call, one: Repository, event: dict[str, Any]) -> Safe:
    """Return the first line of a comment; a verdict is marked as one if somebody said it who may give verdicts."""
    who = event["author"]["name"]
    line = next(iter(_words(event)[0].splitlines()), "")[:300]
    found = VERDICT.fullmatch(line)
    judge = call.hub.accounts.named(who) if found else None
    if found and judge and judge.owns(one.namespace):
        return join([_state(found[2]), f" {found[1]}, by {who}"])
    return join([f"{who}: {line}"])


def _words(event: dict[str, Any]) -> tuple[str, str]:
    """Split a comment into its text for people and its data for programs."""
    text = re.sub(r"^<!--.*?-->\n?", "", event["data"]["latest"]["raw"])
    words, _, data = text.partition("```json\n")
    return words.strip(), data.removesuffix("```").strip()


def _event(event: dict[str, Any], models: set[str]) -> Safe:
    who = tag("strong", event["author"]["name"])
    when, data = event["createdAt"][:16].replace("T", " "), event["data"]
    if event["type"] == "comment":
        words, more = _words(event)
        details = tag("details", tag("summary", "as data"), tag("pre", more)) if more else ""
        return join([tag("p", who, ", ", when), tag("pre", _linked(words, models)) if words else "", details])
    if event["type"] == "commit":
        what = f"committed {data['oid'][:12]}: {data['subject']}"
    else:
        what = f"set the status to {data['status']}" if "status" in data else f"renamed it to {data.get('to', '')}"
    return tag("p", who, " ", what, ", ", when, kind="soft")


def _linked(words: str, models: set[str]) -> Safe:
    """Link the names of models, such as the students that a request is about."""
    pieces = re.split(r"(?<![\w.-])([\w.-]{1,96}/[\w.-]{1,96})", words.replace("**", ""))
    return join(tag("a", one, href=f"/{quote(one)}") if one in models else one for one in pieces)


def _state(word: str) -> Safe:
    return tag("span", word, kind=f"state {'good' if word in GOOD else 'bad' if word in STATES else ''}".strip())


def _hint(call: Call) -> Safe:
    return join(["With the suite: ", tag("code", f"--hub {call.origin}"), "."])
