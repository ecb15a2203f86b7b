"""Requests made to stop the queue: each is rejected in a sentence, and the one behind them is judged."""

import base64
import hashlib
import json
import urllib.request

import pytest

from reincarnate.benchmark.submission.queue import Rules, queue
from reincarnate.benchmark.submission.students import look
from reincarnate.benchmark.submission.submit import repository_folder
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.results import paths, verdict_path
from reincarnate.leaderboard.site import build

from ...leaderboard.makers import record, submission
from .hub import RESULTS, TASK, House, files_of, house
from .test_queue import Stub, runs_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with house(tmp_path_factory.mktemp("hostile")) as made:
        yield made


def mallorys(name: str, change=lambda content, lines: None) -> dict[str, bytes]:
    """Return a submission whose student is nowhere, after a change of the JSON and the ledger's lines."""
    content = json.loads(submission(record(name), "mallory").model_dump_json())
    lines = [{"event": "start", "run": name}]
    change(content, lines)
    return files_of(content, b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def of_bytes(name: str, data: bytes) -> dict[str, bytes]:
    return dict(zip(paths("mallory", name), (data, b"{}\n"), strict=True))


def pointer(oid: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


def _student(hub: House, name: str, private: bool = False) -> str:
    """Return a repository of mallory's that holds nothing of use: its newest commit."""
    api, repo = hub.api("mallory"), f"mallory/{name}"
    api.create_repo(repo, private=private, exist_ok=True)
    return f"{repo}@{api.upload_file(path_or_fileobj=b'{}', path_in_repo='config.json', repo_id=repo).oid}"


class Raw:
    """mallory's own client: the real one will not send what is sent here."""

    def __init__(self, hub: House):
        self.url, self.token = hub.url, hub.token("mallory")

    def ask(self, path: str, body: bytes, kind: str):
        head = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        return json.load(urllib.request.urlopen(urllib.request.Request(self.url + path, body, head)))

    def request(self, *operations: dict) -> int:
        rows = [{"key": "header", "value": {"summary": "x", "description": ""}}, *operations]
        body = "\n".join(map(json.dumps, rows)).encode()
        made = self.ask(f"/api/datasets/{RESULTS}/commit/main?create_pr=1", body, "application/x-ndjson")
        return int(made["pullRequestUrl"].rpartition("/")[2])

    def plain(self, files: dict[str, bytes]) -> int:
        return self.request(
            *(
                {"key": "file", "value": {"path": p, "content": base64.b64encode(d).decode(), "encoding": "base64"}}
                for p, d in files.items()
            )
        )

    def upload(self, data: bytes) -> str:
        oid = hashlib.sha256(data).hexdigest()
        asked = json.dumps({"objects": [{"oid": oid, "size": len(data)}]}).encode()
        told = self.ask(f"/datasets/{RESULTS}.git/info/lfs/objects/batch", asked, "application/json")
        action = told["objects"][0]["actions"]["upload"]
        urllib.request.urlopen(urllib.request.Request(action["href"], data, method="PUT")).read()
        return oid


def test_none_of_them_stops_the_queue(hub: House):
    raw, mallory = Raw(hub), hub.as_user("mallory")

    def false_size(name: str) -> int:
        """Return a pointer that says 5 bytes of an object that has more."""
        files = mallorys(name)
        path, data = paths("mallory", name)[0], files[paths("mallory", name)[0]] + b" " * 5000
        oid = raw.upload(data)
        large = {"path": "results/mallory/z.json", "algo": "sha256", "oid": oid, "size": len(data)}
        raw.request({"key": "lfsFile", "value": large})
        return raw.plain(files | {path: pointer(oid, 5)})

    hidden, shown = (_student(hub, name, private=name == "hidden") for name in ("hidden", "parents"))

    def five(content, lines):
        content["student"], lines[0]["parents"] = shown, 5

    wanted = {
        mallory.propose(mallorys(name, change), title, ""): says
        for name, title, change, says in (
            ("mean", "mean", lambda c, _: c["record"]["points"][-1]["evaluation"].update(mean={}), "not a number"),
            ("parents", "parents", five, "record.parents: they are not those in the ledger's first line"),
            ("gone", "<script>\x1b[2J" + "x" * 3000, lambda c, _: None, "has no model mallory/gone"),
            ("hidden", "private", lambda c, _: c.update(student=hidden), "has no model mallory/hidden"),
        )
    }
    wanted |= {
        mallory.propose(of_bytes(name, data), name, ""): says
        for name, data, says in (
            ("large", b'{"a": "' + b"x" * 3_900_000 + b'"}', "a text that is too long"),
            ("huge", b"[" + b"1," * 5_000_000 + b"1]", "is larger than"),
            ("utf16", json.dumps({"a": 1}).encode("utf-16"), "not written in UTF-8"),
            ("mark", b"\xef\xbb\xbf{}", "byte order mark"),
            ("unclosed", b'{"a": "' + b'\\"' * 40_000, "not valid JSON"),
        )
    }
    ledgers = mallorys("bytes") | {paths("mallory", "bytes")[1]: b"\xff\xfe\x00" * 50}
    wanted[mallory.propose(ledgers, "ledger", "")] = "is not a ledger line"
    alike = {f"results/m\u0430llory/x{end}": b"{}" for end in (".json", ".ledger.jsonl")}
    wanted[mallory.propose(alike, "look-alike", "")] = "is not mallory's"
    others: dict[str, bytes] = dict.fromkeys(
        ("suites/poles-v2.json", "generations.json", "prices.json", ".gitattributes"), b"[]"
    )
    wanted[mallory.propose(others, "others' files", "")] = "is not mallory's"
    wanted[false_size("size")] = ""
    nowhere = paths("mallory", "nowhere")[0]
    wanted[raw.plain(mallorys("nowhere") | {nowhere: pointer("a" * 64, 100)})] = ""
    last = hub.as_user("ann").propose({path: b"{}" for path in paths("ann", "x")}, "behind", "")
    before = set(hub.main())
    told = queue(hub.as_user("lab"), hub.url, Rules(seconds=120.0))
    reasons = {number: "\n".join(reason for one in told[number] for reason in one.reasons) for number in wanted}
    assert [(says, reasons[number]) for number, says in wanted.items() if says not in reasons[number]] == []
    assert all(reasons.values()) and str(hub.at) not in str(reasons)
    assert {one.state for number in wanted for one in told[number]} == {"rejected"} and told[last]
    assert set(hub.main()) - before == {"queue.json"}


def test_a_student_that_is_deleted_or_made_again_after_its_verdict_is_shown(hub: House, tmp_path):
    """The entry keeps its measured scores, and says that its student is gone."""
    api, lab = hub.api("mallory"), hub.as_user("lab")

    def publish(name: str, data: bytes) -> str:
        api.create_repo(f"mallory/{name}", exist_ok=True)
        made = api.upload_file(path_or_fileobj=data, path_in_repo="x", repo_id=f"mallory/{name}")
        return f"mallory/{name}@{made.oid}"

    names = ("stays", "leaves", "returns")
    for seed, name in enumerate(names):
        one = submission(record(name, task=TASK, seed=seed), "mallory", student=publish(name, b"1"))
        files = files_of(json.loads(one.model_dump_json()), b'{"event": "start"}\n')
        hub.as_user("mallory").propose(files, name, "")
    queue(hub.as_user("lab"), hub.url, judge=Stub())
    lab = hub.as_user("lab")
    assert look(lab, hub.url) == {}
    head = lab.head()
    for name in names[1:]:
        api.delete_repo(f"mallory/{name}")
    publish("returns", b"2")  # under the same name, with other bytes
    found = look(lab, hub.url)
    assert set(found) == {"leaves", "returns"} and "created anew" in found["returns"] and lab.head() != head
    results = repository_folder(lab, hub.url)
    (entry,) = [one for one in board(results)["entries"] if one["author"] == "mallory"]
    assert entry["gone"] == ["leaves", "returns"] and entry["runs"] == 3
    build(results.folder, tmp_path / "site")
    assert "not on the hub any more" in (tmp_path / "site" / "entry.js").read_text()
    since, head = results.verdicts["leaves"].gone, lab.head()
    assert since and set(look(lab, hub.url)) == set(found) and lab.head() == head  # nothing new is written
    assert results.verdicts["leaves"].state == "re-scored" and verdict_path("mallory", "leaves") in hub.main()


def test_a_hub_that_does_not_answer_says_nothing_of_students(hub: House, monkeypatch):
    lab = hub.as_user("lab")
    head = lab.head()

    def down(*arguments, **more):
        raise ValueError("the hub does not answer")

    calls = iter([lab.head])
    monkeypatch.setattr(lab, "head", lambda: next(calls, down)())
    monkeypatch.setattr("reincarnate.benchmark.submission.students.hubs.is_published", down)
    with pytest.raises(ValueError, match="does not answer"):
        look(lab, hub.url)
    monkeypatch.undo()
    assert hub.as_user("lab").head() == head


def test_runs_of_two_authors_with_one_id_are_named(hub: House):
    """A copied run folder that another author continued has the same id but another ledger."""
    first = hub.as_user("ann").propose(runs_of("ann", "copied"), "honest", "")
    assert [one.state for one in queue(hub.as_user("lab"), hub.url, judge=Stub())[first]] == ["re-scored"]
    ref = _student(hub, "copied")
    files = mallorys("copied", lambda c, lines: c.update(student=ref))
    second = hub.as_user("mallory").propose(files, "again", "")
    (verdict,) = queue(hub.as_user("lab"), hub.url)[second]
    assert verdict.state == "rejected" and any("run copied is already there, by ann" in r for r in verdict.reasons)
