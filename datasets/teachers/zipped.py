"""Members of an untrusted zip file, read into memory within limits. Nothing is ever extracted to disk."""

import io
import zipfile
import zlib
from pathlib import PurePosixPath

from ..pickled import DamagedFile

LIMIT = 48 * 2**20  # bytes of a member; the largest networks' weights need 30 MB
MEMBERS = 1000


def opened(data: bytes) -> zipfile.ZipFile:
    """Open a zip file in memory; ValueError if it is invalid, has too many members, or names outside of it."""
    if data.count(b"PK\x01\x02") > MEMBERS:  # signature of index entries, counted before parsing
        raise ValueError(f"it has more than {MEMBERS} members")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, LookupError) as error:
        raise DamagedFile("it is cut short or not a zip file") from error
    for name in archive.namelist():
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if name.startswith(("/", "\\")) or ".." in parts or ":" in name:
            raise ValueError(f"it has a member whose name leads outside its folder, {name[:80]!r}")
    if len(set(archive.namelist())) < len(archive.namelist()):
        raise ValueError("it has two members of one name")
    return archive


def member(archive: zipfile.ZipFile, name: str, limit: int = LIMIT) -> bytes:
    """Return the content of a member. ValueError if it is missing, damaged, encrypted, or over `limit` bytes."""
    if name not in archive.NameToInfo:
        raise ValueError(f"it has no member {name[:80]!r}")
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its member {name[:80]!r} is compressed in a way that cannot be read")
    try:
        with archive.open(info) as file:
            data = file.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise DamagedFile(f"its member {name[:80]!r} is damaged") from error
    if len(data) > limit:
        raise ValueError(f"its member {name[:80]!r} has more than {limit} bytes")
    return data
