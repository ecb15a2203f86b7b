"""References to things on a Hub, as far as the leaderboard needs them: user/name@commit."""

import re

PINNED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}@[0-9a-f]{40}")


def is_pinned(text: str) -> bool:
    """Return whether it names a repository at a whole commit, which never changes."""
    return PINNED.fullmatch(text) is not None and ".." not in text
