"""A Hub server in a process of its own, and the unmodified `huggingface_hub` client for several users."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from reincarnate.datasets.hub.client import client
from reincarnate.datasets.hub.server.client_limits import Limits

ROOT = Path(__file__).parents[4]


class Running(NamedTuple):
    """A server process."""

    url: str
    root: Path
    process: subprocess.Popen

    def api(self, user: str = ""):
        """Return the client as one of the users, or as nobody."""
        return client().HfApi(endpoint=self.url, token=self.token(user) if user else False)

    def token(self, user: str) -> str:
        return (self.root / "tokens" / user).read_text().strip()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


IMPATIENT = """
import json, pathlib, sys
from reincarnate.datasets.hub.local_hub import beginning
from reincarnate.datasets.hub.server.client_limits import Limits
from reincarnate.datasets.hub.server.serve import serve
root, users, limits = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]), Limits(**json.loads(sys.argv[3]))
serve(root, begin=beginning(users, empty=True), limits=limits, ready=lambda url, hub: print(url, flush=True))
"""


def start(root: Path, *options: str) -> Running:
    """Start a server; it answers when this returns."""
    return _start(root, "-m", "reincarnate.datasets.hub.local_hub", "--root", str(root), "--empty", *options)


def start_limited(root: Path, users: list[str], limits: Limits) -> Running:
    """Start a server that has other limits, for tests that cannot wait so long."""
    return _start(root, "-c", IMPATIENT, str(root), json.dumps(users), json.dumps(limits._asdict()))


def _start(root: Path, *arguments: str) -> Running:
    command = [sys.executable, *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:") and json.loads((root / "server.json").read_bytes())["url"] == url
    return Running(url, root, process)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    users = [word for user in ("alice+lab", "bob", "carol:read") for word in ("--user", user)]
    server = start(tmp_path_factory.mktemp("hub"), *users)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def alice(hub):
    return hub.api("alice")


@pytest.fixture(scope="module")
def bob(hub):
    return hub.api("bob")


@pytest.fixture(scope="module")
def carol(hub):
    return hub.api("carol")


@pytest.fixture(scope="module")
def nobody(hub):
    return hub.api()
