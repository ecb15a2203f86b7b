"""What strangers can make the server spend: bodies, parsing, time, connections, disk."""

import hashlib
import http.client
import json
import os
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from reincarnate.datasets.hub.client import client
from reincarnate.datasets.hub.server import parsing
from reincarnate.datasets.hub.server.client_limits import COMMIT, LARGE, SMALL, Limits
from reincarnate.datasets.hub.server.connections import network

from .conftest import start_limited
from .refused import refused

NDJSON, JSON = "application/x-ndjson", "application/json"
HURRIED = Limits(headers=0.4, window=0.4, reading=0.6, an_address=8, uncommitted=1.0)


@pytest.fixture(scope="module")
def hurried(tmp_path_factory):
    """Return a server whose patience is short."""
    server = start_limited(tmp_path_factory.mktemp("hurried"), ["alice", "carol:read"], HURRIED)
    server.api("alice").create_repo("alice/large")
    yield server
    server.stop()


@pytest.fixture(scope="module", autouse=True)
def model(alice):
    alice.create_repo("alice/open")
    alice.create_repo("alice/closed", private=True)


def connect(hub) -> socket.socket:
    where = urlsplit(hub.url)
    return socket.create_connection((where.hostname, where.port), timeout=5)


def head(method: str, path: str, user: str = "", **headers: object) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*lines, *([f"Authorization: Bearer {user}"] if user else []), "", ""]).encode()


def status(wire: socket.socket) -> int:
    """Return the status of the next answer; 0 if the connection is closed without one."""
    try:
        line = wire.makefile("rb").readline()
    except ConnectionError:
        return 0
    return int(line.split()[1]) if line else 0


def whoami(hub, user: str = "alice") -> tuple[int, float]:
    """Return the status, and how long it took."""
    began = time.monotonic()
    wire = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
    wire.request("GET", "/api/whoami-v2", headers={"Authorization": f"Bearer {hub.token(user)}"})
    got = wire.getresponse().status
    wire.close()
    return got, time.monotonic() - began


def descriptors(hub) -> int:
    return len(os.listdir(f"/proc/{hub.process.pid}/fd"))


def memory(hub) -> int:
    """Return the bytes that the server has in memory."""
    with open(f"/proc/{hub.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("length", [{"Content_Length": 200 * 2**20}, {"Transfer_Encoding": "chunked"}])
@pytest.mark.parametrize(
    ("method", "path", "user", "right"),
    [
        ("POST", "/api/models/no/such/commit/main", "", 401),
        ("POST", "/api/models/no/such/commit/main", "bob", 404),
        ("POST", "/api/models/no/such/commit/main", "wrong", 401),
        ("POST", "/api/models/alice/open/commit/main", "", 401),
        ("POST", "/api/models/alice/open/commit/main", "bob", 403),
        ("POST", "/api/models/alice/open/commit/main?create_pr=1", "carol", 403),
        ("POST", "/api/models/alice/closed/commit/main?create_pr=1", "bob", 404),
        ("POST", "/api/models/alice/closed/paths-info/main", "", 401),
        ("POST", "/api/models/alice/open/preupload/main", "bob", 403),
        ("POST", "/alice/open.git/info/lfs/objects/batch", "", 401),
        ("POST", "/api/models/alice/open/discussions", "", 401),
        ("POST", "/api/repos/create", "", 401),
        ("DELETE", "/api/repos/delete", "", 401),
        ("PUT", "/api/models/alice/open/settings", "bob", 403),
        ("POST", "/api/models/alice/open/branch/x", "bob", 403),
        ("PUT", f"/upload/models/alice/open/{'0' * 64}/209715200?expires=9999999999&signature=0", "", 403),
        ("POST", "/no/such/place", "", 404),
    ],
)  # fmt: skip
def test_who_may_not_is_told_before_the_body(hub, method, path, user, right, length):
    """Nothing of the body is sent here, so nothing of it can have been waited for."""
    token = {"": "", "wrong": "wrong"}.get(user) if user in ("", "wrong") else hub.token(user)
    with connect(hub) as wire:
        wire.sendall(head(method, path, token or "", Content_Type=NDJSON, **length))
        assert status(wire) == right


@pytest.mark.parametrize(
    ("path", "user", "most"),
    [
        ("/api/validate-yaml", "", SMALL),
        ("/api/validate-yaml", "carol", SMALL),
        ("/api/validate-yaml", "alice", LARGE),
        ("/api/models/alice/open/paths-info/main", "", SMALL),
        ("/api/models/alice/open/preupload/main", "alice", LARGE),
        ("/api/models/alice/open/discussions", "bob", LARGE),
        ("/api/repos/create", "alice", SMALL),
        ("/api/models/alice/open/commit/main", "alice", COMMIT),
    ],
)  # fmt: skip
def test_a_body_has_the_limit_of_its_route_and_of_its_account(hub, path, user, most):
    token = hub.token(user) if user else ""
    with connect(hub) as wire:
        wire.sendall(head("POST", path, token, Content_Type=JSON, Content_Length=most + 1))
        assert status(wire) == 413
    with connect(hub) as wire, pytest.raises(TimeoutError):  # one byte less is waited for
        wire.settimeout(0.1)
        wire.sendall(head("POST", path, token, Content_Type=JSON, Content_Length=most))
        status(wire)


def test_chunks_are_counted(hub):
    with connect(hub) as wire:
        wire.sendall(head("POST", "/api/validate-yaml", Content_Type=JSON, Transfer_Encoding="chunked"))
        wire.sendall(b"%x\r\n%s\r\n" % (SMALL + 1, b"x" * (SMALL + 1)))
        assert status(wire) == 413


def test_what_is_sent_after_a_refusal_is_thrown_away_and_not_for_long(hub):
    """A stranger's 200 MB for a repository that does not exist reach neither the memory nor the disk."""
    before, sent = memory(hub), 0
    with connect(hub) as wire:
        wire.sendall(head("POST", "/api/models/no/such/commit/main", Content_Type=NDJSON, Content_Length=200 * 2**20))
        with pytest.raises(ConnectionError):
            while sent < 200:
                wire.sendall(b"x" * 2**20)
                sent += 1
    assert sent < 20 and memory(hub) - before < 20 * 2**20


def test_cards_that_take_long_are_read_beside_the_others(hub):
    body, slowest = json.dumps({"content": "---\na: [" + "a," * 4000 + "]\n---\n"}).encode(), 0.0
    request = head("POST", "/api/validate-yaml", Content_Type=JSON, Content_Length=len(body)) + body
    wires = [connect(hub) for _ in range(6)]
    for wire in wires:
        wire.sendall(request)
    for _ in range(4):
        slowest = max(slowest, whoami(hub)[1])
    assert [status(wire) for wire in wires] == [200] * 6 and slowest < 1
    for wire in wires:
        wire.close()


@pytest.mark.parametrize("text", [
    "[" * 60_000, '{"content":' * 5_000, '{"content": "' + '\\"' * 30_000, "[" + "[]," * 21_000 + "1]",
    '{"content": "---\\n' + "- " * 30_000 + '\\n---\\n"}', '{"content": "---\\n' + "? " * 30_000 + '\\n---\\n"}',
    '{"content": "---\\na: ' + "[" * 400 + '\\n---\\n"}', "1" * 60_000, "1e999", "\ufeff{}",
])  # fmt: skip
def test_a_stranger_cannot_keep_the_others_waiting(hub, text):
    """Whatever its body, it is refused, others are answered meanwhile, and memory does not grow."""
    before, told, slowest = memory(hub), [], 0.0

    def one() -> None:
        wire = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
        wire.request("POST", "/api/validate-yaml", text.encode(), {"Content-Type": JSON})
        told.append(wire.getresponse().status)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        slowest = max(slowest, whoami(hub)[1])
    assert told == [400] * 4 and slowest < 1.5 and memory(hub) - before < 60 * 2**20


def test_json_is_bounded_in_depth_and_parts():
    assert parsing.read(b'{"a": [1, "[[{,:\\"", {}]}') == {"a": [1, '[[{,:"', {}]}
    assert parsing.read(b"[" * 64 + b"]" * 64)
    for wrong in (b"[" * 65 + b"]" * 65, b"[" + b"1," * parsing.PARTS + b"1]", "[]".encode("utf-16"), b"\xff", b'"'):
        with pytest.raises(ValueError):
            parsing.read(wrong)
    began = time.monotonic()
    with pytest.raises(ValueError):
        parsing.read(b'{"a": "' + b'\\"' * 1_000_000)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("line", ["[" * 1000, '{"key": "header", "value": [' + "[]," * 5000 + "1]}", "{", "[]", "1"])
def test_lines_of_a_commit_are_bounded_as_well(hub, line):
    with connect(hub) as wire:
        wire.sendall(head("POST", "/api/models/alice/open/commit/main", hub.token("alice"), Content_Type=NDJSON,
                          Content_Length=len(line)) + line.encode())  # fmt: skip
        assert status(wire) == 400


def test_headers_that_do_not_come(hurried):
    """Nothing, half a request, half a second request, and headers one at a time: all are dropped."""
    whole, half = head("GET", "/api/models"), b"GET /api/models HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    wires = [connect(hurried) for _ in range(4)]
    began = time.monotonic()
    for wire, data in zip(wires, (b"", half, whole + half, half), strict=True):
        wire.sendall(data)
    while time.monotonic() - began < 0.9:
        time.sleep(0.1)
        try:
            wires[3].sendall(b"x")
        except ConnectionError:
            break
    assert status(wires[2]) == 200 and time.monotonic() - began < 1.5
    for wire in (wires[0], wires[1], wires[3]):
        assert status(wire) == 0
    for wire in wires:
        wire.close()


def test_a_body_that_does_not_come(hurried):
    with connect(hurried) as wire:
        wire.sendall(head("POST", "/api/validate-yaml", Content_Type=JSON, Content_Length=1000) + b"{")
        assert status(wire) == 0
    body = json.dumps({"content": "x" * 900}).encode()
    with connect(hurried) as wire:  # in pieces, and fast enough
        wire.sendall(head("POST", "/api/validate-yaml", Content_Type=JSON, Content_Length=len(body)))
        for at in range(0, len(body), 230):
            wire.sendall(body[at : at + 230])
            time.sleep(0.05)
        assert status(wire) == 200


def test_an_answer_that_nobody_reads(hurried):
    """Hundreds of them would fill the memory and the table of files."""
    hurried.api("alice").upload_file(path_or_fileobj=bytes(12_000_000), path_in_repo="b.bin", repo_id="alice/large")
    time.sleep(0.5)
    before = descriptors(hurried)
    with connect(hurried) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.sendall(head("GET", "/alice/large/resolve/main/b.bin"))
        time.sleep(0.2)
        assert descriptors(hurried) > before
        deadline = time.monotonic() + 3
        while descriptors(hurried) > before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert descriptors(hurried) <= before


def test_half_requests_keep_nobody_out(hurried):
    """The oldest connection is dropped, also for one address."""
    half = b"GET /api/models HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    wires, before = [], descriptors(hurried)
    for _ in range(40):
        wires.append(connect(hurried))
        wires[-1].sendall(half)
    got, took = whoami(hurried)
    assert got == 200 and took < 1 and descriptors(hurried) - before <= HURRIED.an_address
    for wire in wires:
        wire.close()


def test_an_address_with_too_much_work_is_told_to_wait(hurried):
    """Accounts' requests are not dropped for others: the next connection gets 503."""
    begin = head("POST", "/api/models/alice/large/commit/main", hurried.token("alice"), Content_Type=NDJSON,
                 Content_Length=50_000)  # fmt: skip
    wires = [connect(hurried) for _ in range(HURRIED.an_address)]
    for wire in wires:
        wire.sendall(begin + b" " * 1000)
    time.sleep(0.15)
    with connect(hurried) as wire:
        assert status(wire) == 503
    for wire in wires:
        wire.close()
    time.sleep(0.1)
    assert whoami(hurried)[0] == 200


def test_whom_a_connection_counts_for():
    assert network(("127.0.0.1", 5)) == network(("::ffff:127.0.0.1", 5, 0, 0)) == "127.0.0.1"
    assert (
        network(("2001:db8::1", 5, 0, 0)) == network(("2001:db8::ffff:2", 6, 0, 0)) != network(("2001:db8:0:1::1", 5))
    )
    assert network(("fe80::1%eth0", 5, 0, 2)) == "fe80::/64" and network(None) == network("") == ""


def test_who_may_only_read_writes_no_discussion(hub, alice, carol, nobody):
    number = alice.create_discussion("alice/open", title="t").num
    for one, code in ((carol, 403), (nobody, 401)):
        assert refused(one.create_discussion, "alice/open", title="x", token=one.token) == code
        assert refused(one.create_pull_request, "alice/open", title="x", token=one.token) == code
        assert refused(one.comment_discussion, "alice/open", number, comment="x", token=one.token) == code
        assert refused(one.rename_discussion, "alice/open", number, new_title="x", token=one.token) == code
        assert refused(one.change_discussion_status, "alice/open", number, new_status="closed", token=one.token) == code
    assert [one.title for one in alice.get_repo_discussions("alice/open")] == ["t"]
    assert carol.get_discussion_details("alice/open", number).title == "t"


def test_uploads_that_nobody_commits_expire_and_committed_ones_stay(hurried):
    alice, data = hurried.api("alice"), b"\0weights" * 1000
    alice.upload_file(path_or_fileobj=data, path_in_repo="kept.bin", repo_id="alice/large")
    other = b"\1" + data
    info = client().CommitOperationAdd("lost.bin", other)
    alice.preupload_lfs_files("alice/large", [info])
    oid = hashlib.sha256(other).hexdigest()
    place = hurried.root / "models/alice/large.git/lfs/incoming" / oid
    assert place.is_file()
    deadline = time.monotonic() + 4
    while place.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not place.exists()
    pointer = {"path": "lost.bin", "algo": "sha256", "oid": oid, "size": len(other)}
    lines = [{"key": "header", "value": {"summary": "s"}}, {"key": "lfsFile", "value": pointer}]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    with connect(hurried) as wire:
        wire.sendall(head("POST", "/api/models/alice/large/commit/main", hurried.token("alice"), Content_Type=NDJSON,
                          Content_Length=len(body)) + body)  # fmt: skip
        assert status(wire) == 400
    name = "/alice/large/resolve/main/kept.bin"
    wire = http.client.HTTPConnection(urlsplit(hurried.url).netloc, timeout=5)
    wire.request("GET", name)
    assert wire.getresponse().read() == data
