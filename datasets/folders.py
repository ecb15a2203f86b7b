"""Where this user's files are kept when nobody says otherwise."""

import os
from pathlib import Path


def caches() -> Path:
    """`$REINCARNATE_CACHE`, else `reincarnate` in the user's cache folder: all that can be fetched or made again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("REINCARNATE_CACHE") or Path(home) / "reincarnate")


def data() -> Path:
    """`reincarnate` in the user's data folder: what nobody can make again."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "reincarnate"
