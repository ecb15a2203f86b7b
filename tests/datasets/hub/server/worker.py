"""Clients in processes of their own that commit, upload, propose, comment and merge until they are killed.

Reads `URL TOKEN USER SEED FILE` lines and forks a client for each, which writes
what the server has answered to FILE; `end` kills them all.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path

REPOSITORY = "lab/board"


class Worker:
    """One client. Each promise is a line: what, key, value."""

    def __init__(self, api, add, user: str, seed: int, file):
        self.api, self.add, self.user, self.chance, self.file = api, add, user, random.Random(seed), file
        self.pulls = []

    def work(self, refused) -> None:
        kinds = (self.commit, self.large, self.propose, self.comment, self.merge, self.tag, self.repository)
        while True:
            kind = self.chance.choices(kinds, weights=(4, 3, 4, 2, 2, 1, 1))[0]
            self.say("tried", kind.__name__, None)
            try:
                kind()
            except refused as error:
                if error.response.status_code not in (400, 404, 409):  # a merge or a comment that came too late
                    self.say("fault", str(error), None)

    def say(self, what: str, key, value) -> None:
        self.file.write(json.dumps([what, key, value]) + "\n")
        self.file.flush()

    def name(self, ending: str) -> str:
        return f"{self.user}/{self.chance.getrandbits(64):016x}{ending}"

    def files(self, endings: list[str], size: int) -> dict[str, str]:
        """Return {path: content in hex}: bytes of any value go beside git, text into it."""
        return {
            self.name(one): (self.chance.randbytes(size) if one != ".txt" else b"x" * self.chance.randrange(size)).hex()
            for one in endings
        }

    def operations(self, files: dict[str, str]) -> list:
        return [self.add(path, bytes.fromhex(content)) for path, content in files.items()]

    def commit(self) -> None:
        files = self.files([self.chance.choice((".txt", ".json"))] * self.chance.choice((1, 2, 20)), 200)
        made = self.api.create_commit(REPOSITORY, self.operations(files), commit_message="files")
        self.say("commit", made.oid, files)

    def large(self) -> None:
        files = self.files([".safetensors"], 300_000)
        made = self.api.create_commit(REPOSITORY, self.operations(files), commit_message="large")
        self.say("commit", made.oid, files)

    def propose(self) -> None:
        files = self.files([self.chance.choice((".txt", ".safetensors"))], 2000)
        made = self.api.create_commit(REPOSITORY, self.operations(files), commit_message="propose", create_pr=True)
        self.pulls.append(made.pr_num)
        self.say("pull", made.pr_num, [made.oid, files])

    def comment(self) -> None:
        if self.pulls:
            number, text = self.chance.choice(self.pulls), self.name("")
            self.api.comment_discussion(REPOSITORY, number, text)
            self.say("comment", number, text)

    def merge(self) -> None:
        if self.pulls:
            number = self.chance.choice(self.pulls)
            self.api.merge_pull_request(REPOSITORY, number)
            self.say("merge", number, None)

    def tag(self) -> None:
        name = f"t{self.chance.getrandbits(64):016x}"
        self.api.create_tag(REPOSITORY, tag=name)
        self.say("tag", name, None)

    def repository(self) -> None:
        name = f"{self.user}/r{self.chance.getrandbits(64):016x}"
        self.api.create_repo(name, repo_type="dataset")
        self.say("repository", name, None)


def main() -> None:
    from reincarnate.datasets.hub.client import client

    hub, children = client(), []
    assert hub.HfApi and hub.CommitOperationAdd  # imported before the first fork
    for line in sys.stdin:
        if line.strip() == "end":
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            children = []
            print("ended", flush=True)
            continue
        url, token, user, seed, path = line.split()
        if child := os.fork():
            children.append(child)
            continue
        sys.stderr = open(os.devnull, "w")
        with Path(path).open("a") as file:
            worker = Worker(hub.HfApi(endpoint=url, token=token), hub.CommitOperationAdd, user, int(seed), file)
            try:
                worker.work(hub.errors.HfHubHTTPError)
            except Exception as error:  # the connection broke
                if not (type(error).__module__.startswith("httpx") or isinstance(error, (OSError, RuntimeError))):
                    worker.say("fault", repr(error), None)
        os._exit(0)


if __name__ == "__main__":
    main()
