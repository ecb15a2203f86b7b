"""The bytes of files that strangers hand in, read only if they are files."""

import stat
from pathlib import Path


def content(path: Path, most: int = 1 << 30) -> bytes:
    """Return a file's bytes; FileNotFoundError if nothing is there.

    Opening a pipe waits without end, and a device has no end: ValueError for these, for a link that leads nowhere,
    and for a file of more than `most` bytes.
    """
    if path.is_symlink() and not path.exists():
        raise ValueError(f"{path} is a link to a file that is not there: put the file itself there")
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path} is a pipe, a device or a folder, not a file: put the file itself there")
    if found.st_size > most:
        raise ValueError(f"{path} has more than {most} bytes: put a smaller file there")
    return path.read_bytes()
