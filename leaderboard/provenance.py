"""The provenance of a board: the commit of the results repository, and the day of the build."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path


def commit_of(folder: Path) -> str:
    """Return the commit of a results repository, from its git checkout or Hub snapshot; empty for a plain folder."""
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    place = folder.resolve()
    if re.fullmatch(r"[0-9a-f]{40}", place.name):  # the Hub client's cache names folders by commit
        return place.name
    try:
        with Repo.discover(str(place)) as repository:
            return repository.head().decode()
    except (NotGitRepository, KeyError, OSError):
        return ""


def now() -> float:
    """Return the time in seconds since 1970; SOURCE_DATE_EPOCH overrides it for reproducible builds."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    return float(told) if told.isdecimal() else time.time()


def today() -> str:
    """Return the day, UTC."""
    return datetime.fromtimestamp(now(), UTC).strftime("%Y-%m-%d")
