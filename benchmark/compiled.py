"""Cache XLA's compiled programs by their content, for later processes.

The cache holds machine code, so it is only read from a folder that no other user can write.
"""

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from ..datasets import folders
from . import machine

LARGEST = 2**28  # bytes of cached programs
_LOCK, _open = Lock(), 0  # number of open blocks
_restore: Callable[[], None] = lambda: None  # set by the first of them  # noqa: E731


@contextmanager
def kept() -> Iterator[None]:
    """Make JAX cache what it compiles while the block runs, unless this process or its user has configured that
    already.

    JAX finds a program by its content, compiler and options. XLA also compiles differently for other processors and
    numbers of threads, so these have separate folders. Where no folder is safe, nothing is cached. JAX's settings are
    global: blocks that overlap in several threads share them, and the last one to end restores the previous values.
    """
    global _open, _restore
    with _LOCK:
        if _open == 0:
            _restore = _keep()
        _open += 1
    try:
        yield
    finally:
        with _LOCK:
            _open -= 1
            if _open == 0:
                _restore()


def _keep() -> Callable[[], None]:
    """Change JAX's settings for the compilation cache, and return a function that restores them."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    folder = folders.caches() / "programs" / f"{machine.instruction_set()}-{machine.threads()}"
    if jax.config.values["jax_compilation_cache_dir"] or not _own(folder):
        return lambda: None
    _shrink(folder, LARGEST)
    wanted = {
        "jax_compilation_cache_dir": str(folder),
        "jax_compilation_cache_max_size": -1,  # with a limit, JAX looks at every file before it adds one
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: jax.config.values[name] for name in wanted}
    quiet = warnings.catch_warnings()
    quiet.__enter__()
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")  # JAX then compiles again

    def configure(settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()  # JAX reads these settings only once, before its first compilation

    def restore() -> None:
        configure(before)
        quiet.__exit__(None, None, None)

    configure(wanted)
    return restore


@cache  # once a process: it looks at every file
def _shrink(folder: Path, most: int) -> None:
    """Delete the files that were read longest ago, until at most `most` bytes are left, and all empty ones.

    An empty file is what a killed process leaves of a program. JAX would neither read nor replace it.
    """
    found = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process shrinks the folder too
            found.append((path.stat(), path))
    total = sum(stats.st_size for stats, _ in found)
    for stats, path in sorted(found, key=lambda one: (one[0].st_size > 0, one[0].st_atime_ns)):
        if stats.st_size > 0:
            if total <= most:
                break
            total -= stats.st_size
        path.unlink(missing_ok=True)


def _own(folder: Path) -> bool:
    """Make the folder, and return whether only this user can write it and its parents within the cache."""
    root = folders.caches()
    try:
        root.mkdir(parents=True, exist_ok=True)
        above = [root.resolve(), folder.parent, folder]
        for one in above[1:]:
            one.mkdir(mode=0o700, exist_ok=True)
        return all(_mine(one.lstat()) for one in above) and os.access(folder, os.W_OK)
    except (OSError, KeyError, ImportError):  # a user or group without a name, or another kind of system
        return False


def _mine(found: os.stat_result) -> bool:
    """Return whether it is this user's folder and nobody else can write it. Many users have a private group."""
    import grp
    import pwd

    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(found.st_gid)
    alone = group.gr_name == user and set(group.gr_mem) <= {user}
    others = stat.S_IWOTH if alone else stat.S_IWOTH | stat.S_IWGRP
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & others
