"""The server is killed at random moments while several clients work: what was answered is there, and git is content.

Prints a tally. REINCARNATE_KILLS is the number of kills.
"""

import collections
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT, Running, start
from .worker import REPOSITORY

KILLS = int(os.environ.get("REINCARNATE_KILLS", "24"))
CLIENTS = ("alice", "bob", "carol")


def fsck(root: Path) -> int:
    """Check all repositories strictly, and returns how many there are."""
    folders = sorted(root.glob("*s/*/*.git"))
    for folder in folders:
        done = subprocess.run(["git", "-C", folder, "fsck", "--full", "--strict"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), f"{folder}\n{done.stdout}{done.stderr}"
    return len(folders)


def keeps(running: Running, promises: list[list]) -> None:
    """Assert that everything that was answered is there: commits, pull requests, comments, tags, repositories."""
    api = running.api("alice")
    refs = api.list_repo_refs(REPOSITORY, include_pull_requests=True)
    tags, heads = {one.name for one in refs.tags}, {one.ref: one.target_commit for one in refs.pull_requests}
    history = {one.commit_id for one in api.list_repo_commits(REPOSITORY)}
    on_main = {one.path: one for one in api.list_repo_tree(REPOSITORY, recursive=True)}
    discussions = {one.num: one for one in api.get_repo_discussions(REPOSITORY)}
    repositories = {one.id for one in api.list_datasets()}
    pulled = {key: value[1] for what, key, value in promises if what == "pull"}
    said = collections.defaultdict(set)
    for what, key, value in promises:
        assert what != "fault", key
        if what == "commit":
            assert key in history
            holds(running, on_main, value)
        elif what == "pull":
            assert heads[f"refs/pr/{key}"] == value[0] and key in discussions
        elif what == "merge":
            assert discussions[key].status == "merged"
            holds(running, on_main, pulled[key])
        elif what == "comment":
            said[key].add(value)
        elif what == "tag":
            assert key in tags
        elif what == "repository":
            assert key in repositories
    for number, texts in said.items():
        details = api.get_discussion_details(REPOSITORY, number)
        assert texts <= {event.content for event in details.events if event.type == "comment"}


def holds(running: Running, there: dict, files: dict[str, str]) -> None:
    """Check that the files have the bytes that were sent."""
    for path, text in files.items():
        content, one = bytes.fromhex(text), there[path]
        if one.lfs:
            oid = one.lfs.sha256
            assert oid == hashlib.sha256(content).hexdigest()
            kept = running.root / "models" / f"{REPOSITORY}.git/lfs/objects" / oid[:2] / oid[2:4] / oid
            assert kept.read_bytes() == content
        else:
            assert one.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def promises_in(folder: Path) -> list[list]:
    """Return what the clients wrote; a line may be cut off."""
    found = []
    for path in sorted(folder.glob("*.promises")):
        found += [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        path.unlink()
    return found


@pytest.fixture
def workers():
    """Return the process that forks clients."""
    command = [sys.executable, str(Path(__file__).with_name("worker.py"))]
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".src"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, bufsize=1)
    yield process
    process.communicate()


@pytest.mark.slow
def test_what_was_answered_outlives_the_server(tmp_path, capsys, workers):
    chance, promises, fresh, checked = random.Random(0), [], [], 0
    users = [word for user in CLIENTS for word in ("--user", f"{user}+lab")]
    for kill in range(KILLS + 1):
        running = start(tmp_path / "hub", *users)
        if kill == 0:
            running.api("alice").create_repo(REPOSITORY)
        checked = fsck(running.root)
        keeps(running, fresh if kill < KILLS else promises)
        if kill < KILLS:
            for number, user in enumerate(CLIENTS):
                place = tmp_path / f"{user}.promises"
                workers.stdin.write(f"{running.url} {running.token(user)} {user} {kill * 10 + number} {place}\n")
            time.sleep(chance.uniform(0.1, 1.0))
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        time.sleep(0.05)  # what was answered is on its way
        workers.stdin.write("end\n")
        assert workers.stdout.readline() == "ended\n"
        fresh = promises_in(tmp_path)
        promises += fresh
    tried = collections.Counter(key for what, key, _ in promises if what == "tried")
    kept = collections.Counter(what for what, _, _ in promises if what != "tried")
    with capsys.disabled():
        print(f"\n{KILLS} kills; tried {dict(tried)}; answered and kept {dict(kept)}; {checked} repositories pass fsck")
    assert kept["commit"] > KILLS / 4 and kept["merge"]
