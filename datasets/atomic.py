"""Files and folders that appear whole or not at all."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path


def write(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file under a temporary name in its folder, which is made if missing, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write several files of a folder, all or none: first under temporary names, then rename them all."""
    new, partials = not folder.exists(), {}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, data in contents.items():
            partials[name] = folder / f".{name}.{secrets.token_hex(4)}.partial"
            partials[name].write_bytes(data)
        for name, partial in partials.items():
            os.replace(partial, folder / name)
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)
        if new:
            with contextlib.suppress(OSError):  # a folder that is not empty stays
                folder.rmdir()


def vacant(folder: Path) -> None:
    """Raise ValueError if a folder to be written exists already."""
    if folder.exists():
        raise ValueError(f"{folder} exists: give another folder with --out, or remove it")


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder next to `path`, and rename it to `path` at the end; after an error it is removed.

    ValueError if another process has written `path` in the meantime.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    partial.mkdir()
    try:
        yield partial
        try:
            os.replace(partial, path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise ValueError(
                f"{path} was written by another process in the meantime: give another folder with --out"
            ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
