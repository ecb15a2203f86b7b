"""A hub for tests of the queue: a maintainer, an honest and a hostile user, and submissions that are forged."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reincarnate.datasets.hub import place
from reincarnate.datasets.hub.client import client
from reincarnate.datasets.hub.pull_requests import DatasetRepository
from reincarnate.leaderboard import ledger
from reincarnate.leaderboard.results import paths
from reincarnate.leaderboard.suite import Anchor, Suite

ROOT = Path(__file__).parents[3]
TASK = "gym/CartPole-v1"
RESULTS = "lab/results"


class House(NamedTuple):
    """A hub, and what its users do there."""

    url: str
    tokens: Path
    at: Path

    def token(self, user: str) -> str:
        return (self.tokens / user).read_text().strip()

    def as_user(self, name: str) -> DatasetRepository:
        os.environ[place.TOKEN] = self.token(name)
        return DatasetRepository(RESULTS, self.url)

    def api(self, user: str):
        return client().HfApi(endpoint=self.url, token=self.token(user))

    def main(self) -> dict[str, tuple[int, str]]:
        """Return what the main branch holds."""
        repository = self.as_user("lab")
        return repository.tree(repository.head())


@contextmanager
def house(at: Path, users: tuple[str, ...] = ("lab", "ann", "mallory")) -> Iterator[House]:
    """Return a hub in a process of its own, with an empty results repository that has a suite."""
    words = [word for user in users for word in ("--user", user)]
    command = [sys.executable, "-m", "reincarnate.datasets.hub.local_hub", "--root", str(at / "hub"), "--empty"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}
    process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, env=env, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REINCARNATE_CACHE", str(at / "caches"))
            patch.setenv(place.TOKEN, "")
            made = House(url, at / "hub" / "tokens", at)
            suite = Suite(name="poles", version=1, seeds=1, tasks={TASK: Anchor(random=22.0, teacher=200.0)})
            made.api("lab").create_repo(RESULTS, repo_type="dataset")
            made.as_user("lab").write({"suites/poles.json": suite.model_dump_json().encode()}, "Anchor a suite")
            yield made
    finally:
        process.terminate()
        process.wait(10)


def resealed(lines: bytes, change: Callable[[list[dict[str, Any]]], Any]) -> tuple[bytes, str]:
    """Return a ledger after a change, sealed anew as a careful forger does; and the hash of its last line."""
    rows = [json.loads(line) for line in lines.splitlines()]
    change(rows)
    before, out = ledger.START, b""
    for row in rows:
        row = {**{key: value for key, value in row.items() if key != "hash"}, "previous": before}
        before = ledger.seal(row)
        out += json.dumps({**row, "hash": before}).encode() + b"\n"
    return out, before


def files_of(submission: dict[str, Any], lines: bytes) -> dict[str, bytes]:
    record, log = paths(submission["author"], submission["record"]["run"])
    return {record: json.dumps(submission).encode(), log: lines}
