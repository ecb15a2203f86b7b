"""References to repositories on a Hub: user, name and revision."""

import re
from typing import NamedTuple, Self

from .server.names import KINDS, is_repository

_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Ref(NamedTuple):
    """A repository at a revision. Only a 40-hex commit pins it; None means the newest commit on `main`."""

    repo: str  # user/name
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `user/name` or `user/name@revision`; ValueError for anything else."""
        repo, at, revision = text.partition("@")
        good = is_repository(repo) and (not at or (_REVISION.fullmatch(revision) and ".." not in revision))
        if not good:
            raise ValueError(f"{text!r} is not a reference: write user/name or user/name@commit")
        return cls(repo, revision or None)

    def __str__(self) -> str:
        """Return the text form, which `parse` reads."""
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"

    @property
    def pinned(self) -> bool:
        """Return whether the revision is a commit, which never changes."""
        return is_commit(self.revision)


def is_commit(revision: str | None) -> bool:
    """Return whether a revision is a whole 40-hex commit."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def folder(ref: Ref, kind: str) -> str:
    """Return the name of a repository's folder in a Hub cache; ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of repository: use {' or '.join(KINDS)}")
    return f"{kind}s--{ref.repo.replace('/', '--')}"
