"""Default folders for this user's files, and a check of untrusted paths before they are opened."""

import errno
import os
import stat
from pathlib import Path

SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def caches() -> Path:
    """Return the cache folder, `$REINCARNATE_CACHE` or `reincarnate` in the user's cache, for reproducible files."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("REINCARNATE_CACHE") or Path(home) / "reincarnate")


def data() -> Path:
    """Return `reincarnate` in the user's data folder, for files that cannot be reproduced."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "reincarnate"


def regular(path: Path) -> Path:
    """Return the path if it is a file or a link to one, or if nothing is there.

    Opening a pipe could block forever, and a device has no end. ValueError for these, and for broken links.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{path} is a link that leads back to itself: put the file itself there") from None
        if error.errno == errno.ENOENT and path.is_symlink():
            raise ValueError(f"{path} is a link to a file that is not there: put the file itself there") from None
        return path
    if kind != stat.S_IFREG:
        raise ValueError(f"{path} is {SPECIAL.get(kind, 'a special file')}, not a file: put the file itself there")
    return path
