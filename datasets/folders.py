"""Default folders for this user's files."""

import os
from pathlib import Path


def caches() -> Path:
    """Return `$REINCARNATE_CACHE`, or `reincarnate` in the user's cache folder, for files that can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("REINCARNATE_CACHE") or Path(home) / "reincarnate")


def data() -> Path:
    """Return `reincarnate` in the user's data folder, for files that cannot be made again."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "reincarnate"
