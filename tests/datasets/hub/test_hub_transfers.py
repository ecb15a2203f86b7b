"""Transfers over a bad line: a hub that is busy, connections that break, and programs that are killed half-way."""

import http.client
import logging
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from reincarnate.datasets.hub import client, hub
from reincarnate.datasets.hub import place as hub_place
from reincarnate.datasets.hub.reference import Ref

from .server.conftest import start

CONTENT = np.random.default_rng(0).bytes(12_000_000)  # more than one piece of a download
NAME = "alice/weights"
PIECE = 64 * 1024


class BadLine(ThreadingHTTPServer):
    """Passes requests on to a server, after the faults that a test asks for."""

    daemon_threads = True

    def __init__(self, to: str):
        super().__init__(("127.0.0.1", 0), Passing)
        self.to, self.url = urlsplit(to).netloc, f"http://127.0.0.1:{self.server_address[1]}"
        self.busy: dict[tuple[str, str], list[int]] = {}  # (method, part of the path): answers instead
        self.cut, self.stall = 0, 0  # bytes of the next large body, up or down, after which the line breaks or waits
        self.stalled, self.over = threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Passing(BaseHTTPRequestHandler):
    """One request through the bad line."""

    protocol_version = "HTTP/1.1"

    def passing(self) -> None:
        line: BadLine = self.server  # pyright: ignore[reportAssignmentType]
        size = int(self.headers.get("Content-Length") or 0)
        for (method, part), codes in line.busy.items():
            if method == self.command and part in self.path and codes:
                self.rfile.read(size)
                self.send_response(codes.pop(0))
                self.send_header("Content-Length", "0")
                return self.end_headers()
        there = http.client.HTTPConnection(line.to, timeout=60)
        there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for key, value in self.headers.items():
            there.putheader(key, value)
        there.endheaders()
        if not self.flow(self.rfile, there.send, size):
            return there.close()
        answer = there.getresponse()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.flow(answer, self.wfile.write, int(answer.headers.get("Content-Length") or 0))
        there.close()

    def flow(self, source, sink, size: int) -> bool:
        """Return whether all bytes were sent."""
        line: BadLine = self.server  # pyright: ignore[reportAssignmentType]
        done = 0
        while done < size:
            if size > 2**20 and 0 < line.cut <= done:
                line.cut = 0
                self.connection.shutdown(socket.SHUT_RDWR)
                return False
            if size > 2**20 and 0 < line.stall <= done:
                line.stall = 0
                line.stalled.set()
                line.over.wait(60)  # whoever waits is killed
                return False
            piece = source.read(min(PIECE, size - done))
            sink(piece)
            done += len(piece)
        return True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = passing

    def log_message(self, format, *args) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = start(tmp_path_factory.mktemp("hub"), "--user", "alice")
    yield running
    running.stop()


@pytest.fixture
def line(server, tmp_path, monkeypatch):
    """Return a bad line to the server, caches of this test alone, and a hub that is not waited for long."""
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path / "caches"))
    monkeypatch.setenv(hub_place.TOKEN, server.token("alice"))
    monkeypatch.setattr(client, "WAITS", (0.1,) * 5)
    proxy = BadLine(server.url)
    yield proxy
    proxy.over.set()
    proxy.shutdown()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "folder"
    place.mkdir()
    (place / "policy.safetensors").write_bytes(CONTENT)
    (place / "config.json").write_text("{}")
    return place


def whole(ref: Ref, url: str) -> bool:
    """Return whether the cache holds what was published."""
    got = hub.snapshot(ref, "model", url)
    return (got / "policy.safetensors").read_bytes() == CONTENT


def program(words: str) -> subprocess.Popen:
    """Start another process that uses the hub."""
    path = str(Path(hub.__file__).absolute().parents[3])
    code = f"from pathlib import Path\nfrom reincarnate.datasets.hub import hub\nhub.{words}"
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE
    )


@pytest.mark.slow
def test_a_busy_hub_is_waited_for(line, folder, caplog):
    line.busy = {
        ("POST", "/api/repos/create"): [429],
        ("POST", "/preupload/"): [503],
        ("POST", "/commit/"): [429, 500],
        ("GET", "/revision/"): [429],
        ("GET", f"/api/models/{NAME}"): [502],
        ("HEAD", "/resolve/"): [429],
    }
    with caplog.at_level(logging.WARNING):
        made = hub.publish(folder, NAME, "model", line.url)
        ref = hub.resolve(Ref(NAME), "model", line.url)
    assert ref == made and whole(ref, line.url)
    assert not any(codes for (_, part), codes in line.busy.items() if part != "/revision/")
    said = [record.message for record in caplog.records]
    assert f"{line.url} is busy (429): trying again in 0 s" in said and any("Retrying in 1s" in one for one in said)


def test_a_hub_that_stays_busy_is_one_sentence(line):
    line.busy = {("GET", f"/api/models/{NAME}"): [503] * 20}
    with pytest.raises(ValueError, match=rf"^{line.url} answers 503 for model {NAME}: "):
        hub.resolve(Ref(NAME), "model", line.url)
    assert len(line.busy["GET", f"/api/models/{NAME}"]) == 20 - 6


@pytest.mark.slow
def test_broken_connections_are_mended(line, folder):
    line.cut = 5_000_000
    made = hub.publish(folder, "alice/cut", "model", line.url)
    assert line.cut == 0
    line.cut = 11_000_000
    assert whole(made, line.url) and line.cut == 0


def test_a_download_that_was_killed_leaves_no_broken_cache(line, server, folder):
    made = hub.publish(folder, "alice/killed", "model", server.url)
    line.stall = 5_000_000
    process = program(f"open_ref('{made}', 'model', {line.url!r})")
    assert line.stalled.wait(120)
    process.kill()
    process.communicate()
    assert whole(made, line.url)


def test_an_upload_that_was_killed_starts_again(line, server, folder):
    line.stall = 5_000_000
    process = program(f"publish(Path({str(folder)!r}), 'alice/half', 'model', {line.url!r})")
    assert line.stalled.wait(120)
    process.kill()
    process.communicate()
    assert server.api("alice").list_repo_files("alice/half") == [".gitattributes"]
    made = hub.publish(folder, "alice/half", "model", line.url)
    assert whole(made, line.url)
