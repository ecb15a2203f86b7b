"""Pull requests at a Hub, with the unmodified client: propose files, list, compare, comment, close."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .client import ask, client
from .place import find
from .reference import Ref

KIND = "dataset"  # results are kept in a dataset repository


class Request(NamedTuple):
    """An open pull request."""

    number: int
    author: str
    title: str
    head: str  # its newest commit, 40 hex digits


class Moved(ValueError):
    """The main branch has changed since it was read."""


class Difference(NamedTuple):
    """The changes of a request relative to its branching point."""

    added: dict[str, int]  # path -> bytes
    changed: list[str]
    removed: list[str]


class DatasetRepository:
    """A dataset repository on a hub. A refusal of the hub is a ValueError of one sentence."""

    def __init__(self, repo: str, hub: str):
        if hub == "bundled":
            raise ValueError("the bundled hub is read-only: use --hub local, --hub hf or --hub URL")
        self.repo, self.place = Ref.parse(repo).repo, find(hub)
        self.api = self.place.api()
        self._how: dict[str, Any] = {"repo_type": KIND}

    def _ask(self, call):
        return ask(self.api.endpoint, call, self.place.name, f"{KIND} {self.repo}")

    def me(self) -> str:
        """Return the token's user."""
        return str(self._ask(lambda: self.api.whoami())["name"])

    def create(self) -> None:
        """Create the repository; ValueError if it exists."""
        self._ask(lambda: self.api.create_repo(self.repo, **self._how))

    def head(self) -> str:
        """Return the newest commit of the main branch."""
        return str(self._ask(lambda: self.api.repo_info(self.repo, **self._how)).sha)

    def tree(self, revision: str) -> dict[str, tuple[int, str]]:
        """Return {path: (bytes, digest)} at a revision."""
        files = self._ask(
            lambda: list(self.api.list_repo_tree(self.repo, revision=revision, recursive=True, **self._how))
        )
        return {one.path: (one.size, one.blob_id) for one in files if hasattr(one, "blob_id")}

    def propose(self, files: Mapping[str, bytes], title: str, text: str) -> int:
        """Open one pull request that adds these files; return its number."""
        made = self._commit(files, title, text, create_pr=True)
        return int(made.pr_num)

    def write(self, files: Mapping[str, bytes], message: str, parent: str = "") -> None:
        """Commit files to the main branch in one commit, on top of `parent` if given.

        Moved if the main branch has another newest commit by then; nothing is written.
        """
        try:
            self._commit(files, message, "", **({"parent_commit": parent} if parent else {}))
        except ValueError:
            if parent and self.head() != parent:
                raise Moved(
                    f"the main branch of {self.repo} has changed in the meantime: review the request again"
                ) from None
            raise

    def requests(self) -> list[Request]:
        """Return all open and draft pull requests, oldest first."""
        refs = self._ask(lambda: self.api.list_repo_refs(self.repo, include_pull_requests=True, **self._how))
        heads = {one.ref: one.target_commit for one in refs.pull_requests or ()}
        found = self._ask(lambda: list(self.api.get_repo_discussions(self.repo, **self._how)))
        return [
            Request(one.num, one.author, one.title, heads[f"refs/pr/{one.num}"])
            for one in sorted(found, key=lambda one: one.num)
            if one.is_pull_request and one.status in ("open", "draft") and f"refs/pr/{one.num}" in heads
        ]

    def difference(self, request: Request) -> Difference:
        """Return what a request adds, changes and removes since it branched off;
        what was merged since is not its doing."""
        theirs = self._ask(lambda: self.api.list_repo_commits(self.repo, revision=request.head, **self._how))
        ours = self._ask(lambda: self.api.list_repo_commits(self.repo, **self._how))
        on_main = {one.commit_id for one in ours}
        base = next((one.commit_id for one in theirs if one.commit_id in on_main), "")
        if not base:
            raise ValueError(f"pull request {request.number} shares no commit with the main branch")
        before, after, now = self.tree(base), self.tree(request.head), self.tree(self.head())
        new = {path: size for path, (size, digest) in after.items() if path not in before}
        return Difference(
            {path: size for path, size in new.items() if path not in now or now[path][1] == after[path][1]},
            sorted(
                [path for path in after if path in before and after[path][1] != before[path][1]]
                + [path for path in new if path in now and now[path][1] != after[path][1]]
            ),
            sorted(path for path in before if path not in after),
        )

    def read(self, path: str, revision: str) -> bytes:
        """Return one file at a commit."""
        local = self._ask(
            lambda: self.api.hf_hub_download(
                self.repo, path, revision=revision, cache_dir=self.place.cache, **self._how
            )
        )
        with open(local, "rb") as file:
            return file.read()

    def comments(self, number: int) -> list[tuple[str, str]]:
        """Return (author, text) of the comments on a request."""
        told = self._ask(lambda: self.api.get_discussion_details(self.repo, number, **self._how))
        return [(str(one.author), str(one.content)) for one in told.events if one.type == "comment"]

    def pushed(self, number: int, commit: str) -> float:
        """Return when the hub got a commit of a request, in seconds since 1970, by its own clock and not by the
        commit's; infinite if it does not say.
        """
        told = self._ask(lambda: self.api.get_discussion_details(self.repo, number, **self._how))
        times = [one.created_at.timestamp() for one in told.events if getattr(one, "oid", "") == commit]
        return max(times, default=float("inf"))

    def comment(self, number: int, text: str) -> None:
        self._ask(lambda: self.api.comment_discussion(self.repo, number, text, **self._how))

    def close(self, number: int, text: str) -> None:
        """Close a request with a comment; its content stays and is not merged."""
        self._ask(lambda: self.api.change_discussion_status(self.repo, number, "closed", comment=text, **self._how))

    def _commit(self, files: Mapping[str, bytes], title: str, text: str, **more: Any):
        add = client().CommitOperationAdd
        operations = [add(path_in_repo=path, path_or_fileobj=data) for path, data in files.items()]
        return self._ask(
            lambda: self.api.create_commit(
                self.repo, operations, commit_message=title, commit_description=text, **self._how, **more
            )
        )
