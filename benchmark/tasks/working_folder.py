"""Modules in the working folder, importable for the length of a call: the process's path stays as it was."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_ONE = RLock()  # several threads at once would take the folder off the path while another one imports


@contextmanager
def importable() -> Iterator[None]:
    """Put the working folder on the module search path while the block runs, as `python -m` does for a process."""
    here = os.getcwd()
    with _ONE:
        if here in sys.path or "" in sys.path:
            yield
            return
        sys.path.insert(0, here)
        try:
            yield
        finally:
            if here in sys.path:  # the module itself may have taken it off
                sys.path.remove(here)
