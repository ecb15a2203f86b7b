"""Where a board comes from: the commit of the results repository, and the day on which its pages were made."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path


def commit_of(folder: Path) -> str:
    """Return the commit of a results repository: of the git checkout that it lies in, or of a Hub's snapshot.

    Empty if it is a plain folder.
    """
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    place = folder.resolve()
    if re.fullmatch(r"[0-9a-f]{40}", place.name):  # a cache of the Hub's client names its folders by commit
        return place.name
    try:
        with Repo.discover(str(place)) as repository:
            return repository.head().decode()
    except (NotGitRepository, KeyError, OSError):
        return ""


def now() -> float:
    """Return seconds since 1970; SOURCE_DATE_EPOCH says others, so that the same pages can be made again."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    return float(told) if told.isdecimal() else time.time()


def today() -> str:
    """Return the day, UTC."""
    return datetime.fromtimestamp(now(), UTC).strftime("%Y-%m-%d")
