"""Import modules from the working folder without changing the process's module search path for longer than a call."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

HERE = ""  # on the search path: the working folder, whichever that is
_ONE = RLock()  # otherwise one thread could remove the folder from the path while another imports


@contextmanager
def importable() -> Iterator[None]:
    """Put the working folder on the module search path while the block runs, as `python -m` does for a process."""
    with _ONE:
        if HERE in sys.path:
            yield
            return
        sys.path.insert(0, HERE)
        try:
            yield
        finally:
            if HERE in sys.path:  # the module may have removed it itself
                sys.path.remove(HERE)
