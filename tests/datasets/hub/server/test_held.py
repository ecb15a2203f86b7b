"""Attacks that failed, kept: odd tokens, private repositories, others' rights, addresses, requests."""

import base64
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from .conftest import ROOT, start

SECRET = b"\0secret" * 1000
OID = hashlib.sha256(SECRET).hexdigest()
LINES = "application/x-ndjson"


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Start a server with a log, a private model of mallory's and a public one with a pull request of ann's."""
    root = tmp_path_factory.mktemp("logged")
    users = [word for user in ("ann", "mallory", "sybil", "guest:read") for word in ("--user", user)]
    server = start(root, *users, "--log", str(root / "access.log"))
    mallory, ann = server.api("mallory"), server.api("ann")
    mallory.create_repo("mallory/secret", private=True)
    mallory.upload_file(path_or_fileobj=SECRET, path_in_repo="s.bin", repo_id="mallory/secret")
    mallory.upload_file(path_or_fileobj=b"hush", path_in_repo="t.txt", repo_id="mallory/secret")
    ann.create_repo("ann/famous")
    ann.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id="ann/famous")
    mallory.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id="ann/famous", create_pr=True)
    yield server
    server.stop()


def ask(hub, method: str, path: str, body: object = None, user: str = "", **headers: str):
    """Return (status, body, headers) of one request; `_` in a header's name stands for a hyphen."""
    wire = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    if user:
        sent["Authorization"] = f"Bearer {hub.token(user)}"
    wire.request(method, path, body if isinstance(body, bytes | None) else json.dumps(body).encode(), sent)
    answer = wire.getresponse()
    result = answer.status, answer.read(), {name.lower(): text for name, text in answer.getheaders()}
    wire.close()
    return result


def raw(hub, data: bytes) -> list[int]:
    """Return the statuses of all answers to bytes, until the server closes or says no more."""
    where, got = urlsplit(hub.url), b""
    with socket.create_connection((where.hostname, where.port), timeout=0.3) as wire:
        try:
            wire.sendall(data)
            while more := wire.recv(65536):
                got += more
        except OSError:
            pass
    return [int(line.split()[1]) for line in got.split(b"\r\n") if line.startswith(b"HTTP/")]


def test_only_a_whole_token_in_its_one_form_is_one(logged):
    token = logged.token("ann")
    basic = base64.b64encode(f"ann:{token}".encode()).decode()
    odd = ["", "Bearer", "Bearer ", f"Basic {basic}", f"bearer {token}", f"Bearer {token[:-1]}", f"Bearer {token}x"]
    for text in [*odd, f"Bearer  {token}", f"Bearer {token.upper()}", "Bearer \xff\xfe", "ann", f"Bearer {token}, x"]:
        assert ask(logged, "GET", "/api/whoami-v2", Authorization=text)[0] == 401, text
    lines = f"Host: localhost\r\nAuthorization: Bearer x\r\nAuthorization: Bearer {token}\r\nConnection: close"
    assert raw(logged, f"GET /api/whoami-v2 HTTP/1.1\r\n{lines}\r\n\r\n".encode()) == [401]
    assert ask(logged, "GET", "/api/whoami-v2", Authorization=f"Bearer {token}")[0] == 200


READS = [
    ("GET", "/api/models/NAME", None), ("GET", "/NAME/resolve/main/t.txt", None),
    ("HEAD", "/NAME/resolve/main/s.bin", None),
    ("GET", "/api/models/NAME/resolve/main/t.txt", None), ("GET", "/api/models/NAME/tree/main", None),
    ("GET", "/api/models/NAME/refs", None), ("GET", "/api/models/NAME/commits/main", None),
    ("GET", "/api/models/NAME/revision/main", None), ("GET", "/api/models/NAME/auth-check", None),
    ("GET", "/api/models/NAME/discussions", None), ("POST", "/api/models/NAME/paths-info/main", {"paths": ["t.txt"]}),
    ("POST", "/NAME.git/info/lfs/objects/batch", {"objects": [{"oid": OID, "size": len(SECRET)}]}),
    ("POST", f"/upload/models/NAME/{OID}/{len(SECRET)}", {}), ("POST", "/api/models/NAME/discussions", {"title": "x"}),
    ("POST", "/api/models/NAME/preupload/main?create_pr=1", {"files": []}), ("GET", "/pages/NAME/t.txt", None),
]  # fmt: skip


@pytest.mark.parametrize("user", ["", "ann", "guest"])
def test_what_is_hidden_looks_like_what_is_missing(logged, user):
    """For strangers, for other accounts, and in other letter case: the answers do not differ in a byte."""
    for method, path, body in READS:
        hidden = ask(logged, method, path.replace("NAME", "mallory/secret"), body, user)
        missing = ask(logged, method, path.replace("NAME", "mallory/absent"), body, user)
        assert hidden[0] in (401, 403, 404) and b"hush" not in hidden[1] and b"secret" not in hidden[1].lower(), path
        assert hidden[0] == missing[0] and hidden[1].replace(b"secret", b"absent") == missing[1], path
        assert ask(logged, method, path.replace("NAME", "MALLORY/Secret"), body, user)[0] == hidden[0], path
    listed = ask(logged, "GET", "/api/models?full=1", None, user)[1]
    assert b"mallory/secret" not in listed and b"ann/famous" in listed


def test_an_upload_goes_where_its_address_says(logged):
    data = b"\0other" * 1000
    oid = hashlib.sha256(data).hexdigest()
    wanted = {"objects": [{"oid": oid, "size": len(data)}]}
    told = json.loads(ask(logged, "POST", "/mallory/secret.git/info/lfs/objects/batch", wanted, "mallory")[1])
    put = told["objects"][0]["actions"]["upload"]["href"].removeprefix(logged.url)
    assert ask(logged, "PUT", put, data + b"x")[0] == 413 and ask(logged, "PUT", put, data[:-1])[0] == 400
    assert ask(logged, "PUT", put, b"\1" * len(data))[0] == 400
    for wrong in (
        put.replace("mallory/secret", "ann/famous"), put.replace("signature=", "signature=0"),
        put.replace("/models/", "/datasets/"), put.replace("expires=1", "expires=2"), f"{put}&expires=9999999999",
        put.replace(f"/{len(data)}?", f"/{len(data) + 1}?"), put.partition("?")[0],
    ):  # fmt: skip
        assert ask(logged, "PUT", wrong, data)[0] in (403, 404), wrong
    assert ask(logged, "PUT", put, data)[0] == 200


def test_what_is_anothers_cannot_be_changed(logged):
    def file(path: str) -> bytes:
        value = {"path": path, "content": base64.b64encode(b"x").decode()}
        lines = {"key": "header", "value": {"summary": "s"}}, {"key": "file", "value": value}
        return b"\n".join(json.dumps(line).encode() for line in lines)

    at = "/api/models/ann/famous"
    for path in (f"{at}/commit/main", f"{at}/commit/refs%2Fheads%2Fmain", f"{at}/commit/refs%2Fpr%2F1?create_pr=0"):
        for user in ("sybil", "guest"):
            assert ask(logged, "POST", path, file("a"), user, Content_Type=LINES)[0] in (400, 403), path
    for method, path, body in (
        ("POST", f"{at}/discussions/1/merge", {}), ("POST", f"{at}/discussions/1/status", {"status": "closed"}),
        ("POST", f"{at}/discussions/1/title", {"title": "x"}), ("POST", f"{at}/branch/x", {}),
        ("POST", f"{at}/tag/main", {"tag": "v1"}), ("DELETE", f"{at}/branch/main", None),
        ("DELETE", "/api/repos/delete", {"organization": "ann", "name": "famous"}),
        ("PUT", f"{at}/settings", {"visibility": "private"}),
        ("POST", "/api/repos/create", {"name": "x", "organization": "ann"}),
        ("POST", "/api/repos/create", {"name": "x", "organization": "ANN "}),
        ("POST", "/api/repos/create", {"name": "../../x"}),
    ):  # fmt: skip
        assert ask(logged, method, path, body, "sybil")[0] in (400, 403), path
    assert logged.api("ann").list_repo_files("ann/famous") == [".gitattributes", "config.json"]


@pytest.mark.parametrize("path", [
    "/ann/famous/resolve/main/../../../../etc/passwd", "/ann/famous/resolve/main/..%2f..%2f..%2fetc%2fpasswd",
    "/ann/famous/resolve/..%2f..%2fx/config.json", "/%2e%2e/%2e%2e/resolve/main/x", "/ann/famous/resolve/main/%00",
    "/pages/ann/famous/..%2f..%2fhub.sqlite", "/api/models/ann%2ffamous", "/api/models/ann/famous/tree/main/%2e%2e",
    "/ann/famous/resolve/HEAD/config.json", "/ann/famous/resolve/refs%2fheads%2fmain/x", "/ann/famous.git/config",
])  # fmt: skip
def test_no_path_leads_elsewhere(logged, path):
    assert ask(logged, "GET", path, None, "ann")[0] == 404


@pytest.mark.parametrize("name", [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "localhost:80:evil",
    "evil.example#localhost", "",
])  # fmt: skip
def test_other_names_and_other_sites(logged, name):
    status, _, headers = ask(logged, "GET", "/api/models?limit=1", None, "", Host=name)
    assert status == 421 and not any("access-control" in header for header in headers)
    asked = {"Origin": "http://evil.example", "Access_Control_Request_Method": "POST"}
    status, _, headers = ask(logged, "OPTIONS", "/api/models", None, "", **asked)
    assert status == 405 and not any("access-control" in header for header in headers)
    form = {"Origin": "http://evil.example", "Content_Type": "text/plain"}
    assert ask(logged, "POST", "/api/repos/create", {"name": "forged"}, "", **form)[0] == 401


POST = b"POST /api/validate-yaml HTTP/1.1\r\nHost: localhost\r\n"
NEXT = b"GET /api/whoami-v2 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("data", [
    POST + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + NEXT,
    POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    POST + b"Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}", POST + b"Content-Length: -1\r\n\r\n" + NEXT,
    POST + b"Content-Length: +2\r\n\r\n{}" + NEXT, POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n" + NEXT,
    b"GET /api/models HTTP/1.1\r\nHost: evil\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"\0" * 100 + b"\r\n\r\n",
    b"GET /api/models HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
])  # fmt: skip
def test_no_request_hides_in_another(logged, data):
    told = raw(logged, data)
    assert told == [400] or (len(data) > 1_000_000 and not told)  # it may be cut off before it has read its answer


@pytest.mark.parametrize(
    ("wanted", "status", "size"),
    [("bytes=0-0", 206, 1), ("bytes=-1", 206, 1), ("bytes=99999999-", 416, 0), ("bytes=0-99999999999999", 206, 7000),
     ("bytes=0-0,1-1", 206, 2), ("bytes=" + ",".join(f"{i}-{i}" for i in range(1000)), 200, 7000),
     ("bytes=" + "0-," * 3000 + "0-", 200, 7000)],
)  # fmt: skip
def test_ranges(logged, wanted, status, size):
    got = ask(logged, "GET", "/mallory/secret/resolve/main/s.bin", None, "mallory", Range=wanted)
    assert got[0] == status
    assert status == 416 or "multipart" in got[2]["content-type"] or len(got[1]) == size


def test_the_log_has_no_token_and_no_signature(logged):
    ask(logged, "GET", "/api/models/ann/famous", None, "ann")
    text = (logged.root / "access.log").read_text()
    assert "/api/models/ann/famous" in text and "/upload/" in text and "signature" not in text
    assert not any(logged.token(user) in text for user in ("ann", "mallory", "sybil", "guest"))


def test_a_second_server_gets_neither_the_folder_nor_the_port(logged, tmp_path):
    (tmp_path / "link").symlink_to(logged.root)
    port = str(urlsplit(logged.url).port)
    command = [sys.executable, "-m", "reincarnate.datasets.hub.local_hub", "--empty", "--root"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}
    for options, sentence in (
        ([str(tmp_path / "link")], "another server is using the hub"),
        ([str(tmp_path / "own"), "--port", port], f"cannot listen at 127.0.0.1, port {port}"),
    ):
        done = subprocess.run([*command, *options], env=env, capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and sentence in done.stderr and "Traceback" not in done.stderr
    assert ask(logged, "GET", "/api/models")[0] == 200
