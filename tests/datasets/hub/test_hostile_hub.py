"""A hostile hub: names outside its folder, files that are not as listed, answers of any type."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reincarnate.datasets.hub import client, hub
from reincarnate.datasets.hub.reference import Ref

SHA = "a" * 40
CONTENT = b"weights"


def file(path: str, **more) -> dict:
    digest = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    return {"type": "file", "path": path, "size": len(CONTENT), "oid": digest, **more}


class Hostile(BaseHTTPRequestHandler):
    """Answers what a test tells it to."""

    protocol_version = "HTTP/1.1"
    answers: dict[str, object] = {}

    def do_GET(self) -> None:
        found = next((answer for part, answer in self.answers.items() if part in self.path), None)
        body = CONTENT if found is None else json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", SHA)
        self.send_header("ETag", '"' + hashlib.sha1(self.path.encode()).hexdigest() + '"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format, *args) -> None:
        pass


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Return the URL of a hub whose answers a test sets."""
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path / "a/b/c/caches"))
    monkeypatch.setattr(client, "WAITS", (0.1,))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Hostile.answers = {}
    server.shutdown()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/tmp/x", "..\\x", "C:x", "a\0b", "", "../" * 20 + "x"])
def test_no_file_is_written_outside_its_folder(hostile, tmp_path, path):
    Hostile.answers = {"/tree/": [file("config.json"), file(path)]}
    with pytest.raises(ValueError, match="which would lie outside its folder: do not use it"):
        hub.snapshot(Ref("a/b", SHA), "model", hostile)
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


@pytest.mark.parametrize(
    "more", [{"oid": "b" * 40}, {"size": 3}, {"lfs": {"oid": "c" * 64, "size": 7, "pointerSize": 1}}]
)
def test_files_that_are_not_what_was_listed_are_not_used(hostile, more):
    Hostile.answers = {"/tree/": [file("config.json", **more)]}
    with pytest.raises(ValueError):
        hub.snapshot(Ref("a/b", SHA), "model", hostile)


@pytest.mark.parametrize("sha", ["../../x", 3, None, "A" * 40, "a" * 39])
def test_a_commit_is_forty_hexadecimal_digits(hostile, sha):
    Hostile.answers = {"/api/models/a/b": {"id": "a/b", "sha": sha}}
    with pytest.raises(ValueError, match="does not (say which commit|answer like a Hub)"):
        hub.resolve(Ref("a/b"), "model", hostile)


@pytest.mark.parametrize("answer", [3, "x", [3], {"x": 1}, [{"id": 3}], [{"id": "../x", "sha": SHA}], [{"id": "a/b"}]])
def test_searches_survive_any_answer(hostile, answer):
    Hostile.answers = {"/api/models": answer}
    try:
        assert hub.search("model", hostile) == []
    except ValueError:
        pass
