"""The files of a repository as models; what has not changed since the last build is neither read nor checked again.

A file is unchanged if its size, inode and times are those of the last build, as git judges it. One that was written
shortly before that build is read again, because the clock of a file system is coarse.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, NamedTuple

from . import submission as submissions
from .kept import Kept
from .submission import Model

COARSE = 2 * 10**9  # nanoseconds: the coarsest clock of a file system
Stamp = tuple[int, ...]  # size, inode, times of the content and of the file in nanoseconds


class File(NamedTuple, Generic[Model]):
    """A file: its model and the SHA-256 of its content, or why it cannot be read."""

    name: str  # relative to the repository
    model: Model | None
    digest: str
    fault: str = ""


def models(
    repository: Path, room: str, model: type[Model], content: Callable[[Path], bytes], kept: Kept
) -> Iterator[File[Model]]:
    """Yield the files `room/*/*.json` by their names. `content` reads one; `kept`: what builds before have read."""
    for name in sorted(_names(repository / room)):
        if (repository / room / name).is_dir():
            yield from _models(repository, f"{room}/{name}", model, content, kept)


def _models(
    repository: Path, folder: str, model: type[Model], content: Callable[[Path], bytes], kept: Kept
) -> list[File[Model]]:
    began, found = time.time_ns(), []
    root = str(repository.absolute())
    stamps, known = kept.load("stamps", [root, folder]) or {}, kept.load(model.__name__, [folder]) or {}
    new_stamps: dict[str, tuple[Stamp, str]] = {}
    for name in sorted(f"{folder}/{name}" for name in _names(repository / folder) if name.endswith(".json")):
        stamp = _stamp(f"{root}/{name}")
        before, digest = stamps.get(name, ((), ""))
        try:
            if not stamp or stamp != before or digest not in known:
                path = repository / name
                data = content(path)
                digest = hashlib.sha256(data).hexdigest()
                one = known.get(digest) or submissions.parse(data, model, str(path))
            else:
                one = known[digest]
        except (ValueError, OSError) as error:
            found.append(File(name, None, "", str(error)))
            continue
        if max(stamp[2:], default=began) < began - COARSE:
            new_stamps[name] = stamp, digest
        found.append(File(name, one, digest))
    read = {file.digest: file.model for file in found if file.model}
    if read.keys() != known.keys():
        kept.keep(model.__name__, [folder], read)
    if new_stamps != stamps:
        kept.keep("stamps", [root, folder], new_stamps)
    return found


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _stamp(path: str) -> Stamp:
    """Return what changes with a file; nothing if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
