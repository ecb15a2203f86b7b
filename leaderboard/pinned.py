"""References to a commit of a repository on a Hub: user/name@commit."""

import re

PINNED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}@[0-9a-f]{40}")


def is_pinned(text: str) -> bool:
    """Return whether the text names a repository at a full commit hash."""
    return PINNED.fullmatch(text) is not None and ".." not in text
