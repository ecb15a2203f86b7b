"""Import modules from the working folder without changing the process's module search path for longer than a call."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_ONE = RLock()  # otherwise one thread could remove the folder from the path while another imports


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
            if here in sys.path:  # the module may have removed it itself
                sys.path.remove(here)
