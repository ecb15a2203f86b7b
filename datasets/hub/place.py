"""The address, token and cache of each hub.

`local` is a server on this machine. It is started when it is needed, and stops
when nobody has asked it for a while.
"""

import contextlib
import errno
import getpass
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from .. import atomic, folders

HUGGING_FACE = "https://huggingface.co"
ROOT = "REINCARNATE_HUB_ROOT"  # environment variable: the folder of the local hub
TOKEN = "REINCARNATE_HUB_TOKEN"  # environment variable: who we are at a hub that is given by its URL
OTHERS = 20  # seconds that one is waited for which another process has started
IDLE = 300  # seconds without a request after which a server started on demand stops; judges play for minutes
ROOM = 1 << 16  # bytes without which no server is started
START = 60  # seconds that it may take to start, on a machine that is busy with training


class Place(NamedTuple):
    """A hub that answers requests; nothing is started, requested or imported before `api` is called."""

    name: str  # as users know it
    url: str  # "" of the local hub, whose port is another one each time
    cache: Path
    root: Path = Path()  # of the local hub

    def api(self):
        """Return the client for this hub alone, with the token for this hub or none:
        never one that was saved for another."""
        from .client import client

        url = self.url or running(self.root) or _start(self.root)
        if self.name == "hf":
            token = client().get_token()
        elif self.name == "local":
            token = (self.root / "tokens" / owner().lower()).read_text().strip()
        else:
            token = os.environ.get(TOKEN)
        return client().HfApi(endpoint=url, token=token or False, library_name="reincarnate")  # None: any that it finds


def find(hub: str, root: Path | None = None) -> Place:
    """Return the hub `hf`, `local` (in a folder) or http(s)://host; ValueError if it is none of them."""
    caches = folders.caches() / "hubs"
    if hub == "hf" or hub.rstrip("/") == HUGGING_FACE:
        return Place("hf", HUGGING_FACE, caches / "huggingface.co")
    if hub == "local":
        folder = local_root(root)
        key = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
        return Place("local", "", caches / f"local-{key}", folder)
    parts = urlsplit(hub)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(
            f"there is no hub {hub!r}; there are: bundled, local, hf, or its URL, such as http://host:8000"
        )
    key = re.sub(r"[^a-z0-9.]+", "-", f"{parts.netloc}{parts.path}".lower()).strip("-")
    return Place(hub.rstrip("/"), hub.rstrip("/"), caches / f"{parts.scheme}-{key}")


def local_root(root: Path | None = None) -> Path:
    """Return the folder of the local hub: the one given, the one in the environment, or the user's own."""
    return Path(root or os.environ.get(ROOT) or folders.data() / "hub").resolve()


def owner() -> str:
    """Return this user's name on their own hubs, in the form that a Hub allows."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container without a name for its user
        name = "me"
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "me"


def running(root: Path) -> str:
    """Return the URL of the server that has a folder; empty if none answers.
    It shows that it is the one that wrote there."""
    try:
        address = json.loads(folders.regular(root / "server.json").read_bytes())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address['url']}/api/reincarnate", timeout=5) as answer:
            same = json.loads(answer.read(1000)).get("instance") == address["instance"]
        return address["url"] if same else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _start(root: Path) -> str:
    """Start a server for a folder, or wait for one that another process is starting."""
    elsewhere = f"or name another folder for it with {ROOT}"
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic.write(root / ".room", bytes(ROOM), 0o600)
        (root / ".room").unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what, cure = ("the disk is full", "make room") if full else (str(error.strerror), "let it be written")
        raise ValueError(f"the local hub cannot be kept in {root}: {what}: {cure}, {elsewhere}") from None
    package = str(Path(__file__).absolute().parents[3])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "reincarnate.datasets.hub.local_hub", "--root", str(root), "--idle", str(IDLE)]
    with open(root / "server.log", "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True
        )
    ended = time.monotonic()
    deadline = ended + START
    while time.monotonic() < deadline:
        if url := running(root):
            return url
        if process.poll() is None:
            ended = time.monotonic()
        else:  # another process may have been faster, and its server not be ready
            deadline = min(deadline, ended + OTHERS)
        time.sleep(0.05)
    if process.poll() is None:
        raise ValueError(f"the local hub in {root} does not answer within {START} seconds: wait and try again")
    raise ValueError(f"the local hub in {root} did not start: {_reason(root)}; {elsewhere}")


def _reason(root: Path) -> str:
    """Return why a server did not start: a full disk, or its last output."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(root).free < ROOM:
            return "the disk is full: make room"
        said = (root / "server.log").read_text(errors="replace").split("\n")[-40:]
        last = " ".join(next((line for line in reversed(said) if line.strip()), "").split())[:300]
        if os.strerror(errno.ENOSPC) in last:
            return "the disk is full: make room"
        if last:
            return f"{last}; more is in {root / 'server.log'}"
    return "it gave no reason"
