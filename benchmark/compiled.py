"""Programs that XLA has compiled, kept by their content for the processes to come.

What is kept is machine code, so it is read only from this user's own folder, where nobody else can write.
"""

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from ..datasets import folders
from . import machine

LARGEST = 2**30  # bytes of programs that are kept; those that were not used for longest go first
_LOCK, _open = Lock(), 0  # how many blocks are open
_restore: Callable[[], None] = lambda: None  # set by the first of them  # noqa: E731


@contextmanager
def kept() -> Iterator[None]:
    """Have JAX keep what it compiles while the block runs, unless this process or its user has settled that already.

    JAX finds a program by its content, its compiler and its options. Kinds of processors and numbers of threads, for
    which XLA compiles otherwise without saying so, have folders of their own. Where none is safe, nothing is kept.
    JAX's settings are those of the process: blocks that overlap in several threads share them, and the last one to
    end restores what was there before.
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
    """Change JAX's settings for the compilation cache, and return what restores them."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    folder = folders.caches() / "programs" / f"{machine.instruction_set()}-{machine.threads()}"
    if jax.config.values["jax_compilation_cache_dir"] or not _own(folder):
        return lambda: None
    wanted = {
        "jax_compilation_cache_dir": str(folder),
        "jax_compilation_cache_max_size": LARGEST,  # with a limit its files are written under a lock
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: jax.config.values[name] for name in wanted}
    quiet = warnings.catch_warnings()
    quiet.__enter__()
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")  # then it compiles anew

    def configure(settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()  # JAX looks at these settings once, before it compiles for the first time

    def restore() -> None:
        configure(before)
        quiet.__exit__(None, None, None)

    configure(wanted)
    return restore


def _own(folder: Path) -> bool:
    """Make the folder, and say whether it and those above it among the caches are this user's alone to write."""
    root = folders.caches()
    try:
        root.mkdir(parents=True, exist_ok=True)
        above = [root.resolve(), folder.parent, folder]
        for one in above[1:]:
            one.mkdir(mode=0o700, exist_ok=True)
        return all(_mine(one.lstat()) for one in above) and os.access(folder, os.W_OK)
    except (OSError, KeyError, ImportError):  # a user or a group without a name; not of this kind of system
        return False


def _mine(found: os.stat_result) -> bool:
    """Whether it is a folder of this user's that nobody else can write. Many users have a group of their own."""
    import grp
    import pwd

    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(found.st_gid)
    alone = group.gr_name == user and set(group.gr_mem) <= {user}
    others = stat.S_IWOTH if alone else stat.S_IWOTH | stat.S_IWGRP
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & others
