"""What the server refuses: other hosts' pages, old or false addresses, foreign files, git's names, odd bodies."""

import base64
import hashlib
import http.client
import json
import subprocess
import threading
import time
from urllib.parse import urlsplit

import pytest

from reincarnate.datasets.hub.client import client
from reincarnate.datasets.hub.server import large_files
from reincarnate.datasets.hub.server.cards import read_yaml
from reincarnate.datasets.hub.server.large_files import Signer
from reincarnate.datasets.hub.server.refusal import Refusal
from reincarnate.datasets.hub.server.store import Hub

from .conftest import start

MODEL = "alice/safe"


def ask(hub, method: str, path: str, body: bytes = b"", user: str = "", **headers: str) -> tuple[int, bytes]:
    """Send one request by hand."""
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
    if user:
        headers["Authorization"] = f"Bearer {hub.token(user)}"
    connection.request(method, path, body or None, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    return answer.status, answer.read()


def commit(hub, *lines: dict, name: str = MODEL, user: str = "alice") -> int:
    body = b"\n".join(json.dumps(line).encode() for line in ({"key": "header", "value": {"summary": "s"}}, *lines))
    kind = {"Content-Type": "application/x-ndjson"}
    return ask(hub, "POST", f"/api/models/{name}/commit/main", body, user, **kind)[0]


def file(path: object, content: bytes = b"x") -> dict:
    return {"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}}


@pytest.fixture(scope="module", autouse=True)
def model(alice):
    alice.create_repo(MODEL)


def test_only_its_own_names_are_answered(hub):
    """A page elsewhere whose name was made to point here is refused, so that a browser cannot be used against it."""
    port = urlsplit(hub.url).port
    for host, code in (("evil.example", 421), (f"evil.example:{port}", 421), (f"127.0.0.1.evil.example:{port}", 421)):
        assert ask(hub, "GET", "/api/models", Host=host)[0] == code
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert ask(hub, "GET", "/api/models", Host=host)[0] == 200


def upload(hub, user: str, content: bytes, name: str = MODEL) -> str:
    """Return the address for an upload."""
    oid = hashlib.sha256(content).hexdigest()
    body = json.dumps({"operation": "upload", "objects": [{"oid": oid, "size": len(content)}]}).encode()
    told = json.loads(ask(hub, "POST", f"/{name}.git/info/lfs/objects/batch", body, user)[1])
    return told["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.url)


def test_an_upload_needs_its_own_signed_address(hub):
    content = b"weights" * 1000
    place = upload(hub, "alice", content)
    path, _, query = place.partition("?")
    other = path.replace(path.split("/")[5], "0" * 64)
    for wrong in (
        path,
        f"{path}?{query[:-1]}x",
        f"{other}?{query}",
        place.replace("expires=1", "expires=2"),
        f"{path}?expires=x",
    ):
        assert ask(hub, "PUT", wrong, content)[0] in (400, 403)
    assert ask(hub, "PUT", place, content + b"more")[0] == 413
    assert ask(hub, "PUT", place, b"x" * len(content))[0] == 400  # not what was announced
    assert not list(hub.root.glob("models/alice/safe.git/lfs/**/*.partial"))
    assert ask(hub, "PUT", place, content)[0] == 200


def test_an_address_expires(monkeypatch):
    signer = Signer(b"secret")
    monkeypatch.setattr(large_files, "EXPIRY", -1)
    query = dict(part.split("=") for part in signer.query("model", 1, "oid", 5).split("&"))
    with pytest.raises(Refusal, match="wrong or has expired"):
        signer.check(query, "model", 1, "oid", 5)


def test_a_digest_is_no_right_to_a_file(hub, alice, bob):
    """Somebody who knows the digest of a private file cannot commit a pointer to it in a repository of their own."""
    secret = b"\0secret" * 1000
    alice.create_repo("alice/private", private=True)
    alice.upload_file(path_or_fileobj=secret, path_in_repo="s.bin", repo_id="alice/private")
    bob.create_repo("bob/thief")
    oid = hashlib.sha256(secret).hexdigest()
    pointer = {"key": "lfsFile", "value": {"path": "p", "algo": "sha256", "oid": oid, "size": len(secret)}}
    assert commit(hub, pointer, name="bob/thief", user="bob") == 400
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (oid.encode(), len(secret))
    assert commit(hub, file("p", text), name="bob/thief", user="bob") == 200  # a pointer as a file: to nothing
    assert ask(hub, "GET", "/bob/thief/resolve/main/p", user="bob")[0] == 404


@pytest.mark.parametrize(
    "path",
    ["", "/etc/x", "../x", "a/../x", "a//b", "./a", ".git/config", "a/.GIT/x", ".git./x", "git~1/x", ".gitmodules"]
    + ["a\0b", ".g\u200cit/config", ".git::$INDEX_ALLOCATION/x", "x" * 256, "a/" * 600 + "b", "a\nb", 3, None]
    + ["a\\b", "a\\..\\b", "C:/x", "c:x", "CON", "a/nul.txt", "com1 .x", "a/file:stream"],
)  # fmt: skip
def test_paths_that_git_or_windows_mind(hub, path):
    assert commit(hub, file(path)) == 400


def test_git_minds_nothing_that_was_taken(hub):
    long = b"*.x " + b"y" * 3000
    assert commit(hub, file(".gitattributes", long)) == 400
    odd = [
        "-x",
        "a b",
        "console",
        "com10",
        "~",
        "@{x}",
        "ü",
        "x.lock",
        "HEAD",
        "refs/heads/main",
        "git",
        ".gitignore",
        "\u202e",
    ]
    assert [commit(hub, file(path)) for path in odd] == [200] * len(odd)
    done = subprocess.run(
        ["git", "-C", hub.root / f"models/{MODEL}.git", "fsck", "--full", "--strict"], capture_output=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/repos/create", b"[]"),
        ("POST", "/api/repos/create", b'{"name": "../x"}'),
        ("POST", "/api/repos/create", b'{"name": "x", "organization": "alice/../bob"}'),
        ("POST", "/api/repos/create", b"{"),
        ("POST", "/api/repos/create", b"[" * 100_000),
        ("POST", "/api/validate-yaml", b"{}"),
        ("POST", f"/api/models/{MODEL}/preupload/main", b'{"files": [{"path": 1}]}'),
        ("POST", f"/{MODEL}.git/info/lfs/objects/batch", b'{"objects": [{"oid": "x", "size": "y"}]}'),
        ("POST", f"/api/models/{MODEL}/discussions", b'{"title": null}'),
        ("POST", f"/api/models/{MODEL}/branch/a%2F..%2Fb", b"{}"),
        ("POST", f"/api/models/{MODEL}/branch/x.lock", b"{}"),
        ("POST", f"/api/models/{MODEL}/discussions/99999999/comment", b'{"comment": "x"}'),
        ("GET", f"/{MODEL}/resolve/main/..%2F..%2Fhub.sqlite", b""),
        ("GET", f"/{MODEL}/resolve/..%2F..%2Fmain/README.md", b""),
        ("GET", "/api/models/..%2F../x", b""),
        ("GET", "/tokens/alice", b""),
    ],
)
def test_odd_requests_are_refused_at_once(hub, method, path, body):
    """With a 4xx: the client would try again after a 5xx for half a minute."""
    assert 400 <= ask(hub, method, path, body, "alice")[0] < 500


def test_a_card_cannot_fill_the_memory(hub, alice):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    began = time.monotonic()
    with pytest.raises(Exception, match="aliases are not allowed"):
        read_yaml(bomb)
    assert commit(hub, file("README.md", f"---\n{bomb}---\n".encode())) == 200
    assert alice.model_info(MODEL).tags == []
    assert time.monotonic() - began < 5


def test_a_killed_creation_is_swept_away_and_all_else_is_kept(tmp_path):
    """Leave by hand what a kill may leave between two steps, and start again."""
    running = start(tmp_path, "--user", "alice")
    api = running.api("alice")
    api.create_repo("alice/kept")
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id="alice/kept")
    sha = api.model_info("alice/kept").sha
    running.stop()
    git = tmp_path / "models/alice/kept.git"
    (git / "refs/heads/main").write_text("0" * 39 + "1\n")  # a reference that was not copied yet
    (git / "refs/heads/lost").write_text(f"{sha}\n")
    (git / "refs/heads/main.lock").write_text("")
    (git / "objects/00").mkdir(exist_ok=True)
    (git / "objects/00/half.lock").write_bytes(b"x")
    (tmp_path / "models/alice/half.git").mkdir()
    hub = Hub(tmp_path)
    assert (git / "refs/heads/main").read_text().strip() == sha == hub.resolve(hub.all("model")[0], "main")
    assert not (git / "refs/heads/lost").exists() and not list(tmp_path.rglob("*.lock"))
    assert not (tmp_path / "models/alice/half.git").exists()
    with pytest.raises(ValueError, match="another server is using the hub"):
        Hub(tmp_path)
    hub.close()
    assert subprocess.run(["git", "-C", git, "fsck", "--strict"], capture_output=True).returncode == 0


def test_many_commits_at_once_lose_none(hub, alice):
    alice.create_repo("alice/busy")
    add, made = client().CommitOperationAdd, []

    def work(number: int) -> None:
        for step in range(5):
            operations = [add(f"{number}/{step}", b"x")]
            made.append(alice.create_commit("alice/busy", operations, commit_message="x").oid)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 30 and len(alice.list_repo_files("alice/busy")) == 31
    head = (hub.root / "models/alice/busy.git/refs/heads/main").read_text().strip()
    assert head == alice.model_info("alice/busy").sha
