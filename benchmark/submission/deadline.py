"""A limit on time that holds where nobody looks at a clock: in a training, a download, a step of an environment."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = 1.0  # seconds; a library that swallows the error gets it once more


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Ends the block with a ValueError at a time of the monotonic clock; an infinite one never comes.

    It comes between two steps of the interpreter, so a single call of a compiled library is finished first. Only
    the main thread of a system with SIGALRM can be stopped; elsewhere the block goes on to its end.
    """
    alarm = getattr(signal, "SIGALRM", None)
    if deadline == float("inf") or alarm is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_) -> None:
        raise ValueError("it takes longer than one request may: it was stopped")

    before = signal.signal(alarm, stop)
    signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 1e-3), AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(alarm, before)
