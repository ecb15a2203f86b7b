"""Large files (LFS): each repository keeps its own, and uploads go to addresses that expire.

An upload waits in `incoming` until a commit names it. Never shared between
repositories: to know a digest is not to have the right to read the file.
"""

import hmac
import os
import re
import secrets
import time
from pathlib import Path
from urllib.parse import urlencode

from dulwich.lfs import LFSPointer

from .client_limits import LIMITS
from .git import sync
from .refusal import Refusal

EXPIRY = 3600  # seconds that an upload may wait before it starts
OID = re.compile("[0-9a-f]{64}")
POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n")
LONGEST_POINTER = 200  # bytes


def pointer(data: bytes) -> tuple[str, int] | None:
    """Return (digest, size) if a blob is a pointer to a large file."""
    found = POINTER.fullmatch(data) if len(data) < LONGEST_POINTER else None
    return (found[1].decode(), int(found[2])) if found else None


def pointer_to(oid: str, size: int) -> bytes:
    """Return the pointer that git holds in place of a large file."""
    return LFSPointer(oid, size).to_bytes()


class LargeFiles:
    """The large files of a repository, stored where `git clone` of its folder finds them."""

    def __init__(self, repository: Path):
        self._objects, self._incoming = repository / "lfs" / "objects", repository / "lfs" / "incoming"

    def path(self, oid: str) -> Path:
        """Return the path of a committed file."""
        return self._objects / oid[:2] / oid[2:4] / oid

    def find(self, oid: str) -> Path | None:
        """Return the path of a committed or uploaded file; None if missing."""
        if not OID.fullmatch(oid):
            return None
        return next((path for path in (self.path(oid), self._incoming / oid) if path.is_file()), None)

    def renew(self, oid: str) -> bool:
        """Return whether a file is here; if it is an upload, it waits for its commit from now on."""
        try:
            if found := self.find(oid):
                os.utime(found)
        except FileNotFoundError:  # forgotten just now
            return False
        return found is not None

    def begin(self, oid: str) -> Path:
        """Return a new path for an upload."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        return self._incoming / f"{oid}.{secrets.token_hex(8)}.partial"

    def finish(self, partial: Path, oid: str) -> None:
        """Rename received bytes with this digest to their final name."""
        os.replace(partial, self._incoming / oid)
        sync(self._incoming)
        sync(self._incoming.parent)

    def keep(self, oid: str) -> int:
        """Make an upload a committed file and return its size; Refusal if it was never uploaded here."""
        found = self.find(oid)
        if found is None:
            raise Refusal(400, f"The large file {oid} was never uploaded to this repository")
        place = self.path(oid)
        if found != place:
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.replace(found, place)
            except FileNotFoundError:
                raise Refusal(400, f"The upload of {oid} has expired: start it again") from None
            for folder in (place.parent, *place.parent.parents[:3]):
                sync(folder)
        return place.stat().st_size

    def recover(self) -> None:
        """Remove interrupted and unused old uploads; only while no upload is in progress."""
        for path in self._incoming.glob("*.partial"):
            path.unlink()
        self.forget(LIMITS.uncommitted)

    def forget(self, age: float) -> None:
        """Remove uploads that neither grew nor were named by a commit for `age` seconds."""
        for path in self._incoming.glob("*"):
            try:
                if path.stat().st_mtime < time.time() - age:
                    path.unlink()
            except FileNotFoundError:
                pass  # committed just now


class Signer:
    """Signed addresses that grant an upload for a while, because the client sends no token with it."""

    def __init__(self, secret: bytes):
        self._secret = secret

    def query(self, *parts: str | int) -> str:
        """Return the signed end of an address for these parts."""
        expires = int(time.time()) + EXPIRY
        return urlencode({"expires": expires, "signature": self._sign(*parts, expires)})

    def check(self, query: dict[str, str], *parts: str | int) -> None:
        """Raise Refusal if the address does not grant this, or has expired."""
        expires = query.get("expires", "")
        good = hmac.compare_digest(self._sign(*parts, expires).encode(), query.get("signature", "").encode())
        if not good or int(expires) < time.time():
            raise Refusal(403, "This upload address is wrong or has expired: start the upload again")

    def _sign(self, *parts: str | int) -> str:
        return hmac.new(self._secret, "\n".join(map(str, parts)).encode(), "sha256").hexdigest()
