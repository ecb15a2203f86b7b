"""How much memory a stranger's file may take: what it announces is held against what is free, before any is taken."""

import os


def free() -> int:
    """Return the bytes of memory that are free, as the system says; without a limit where it does not."""
    try:
        with open("/proc/meminfo") as file:
            facts = dict(line.split(":", 1) for line in file)
        return 1024 * int(facts["MemAvailable"].split()[0])
    except (OSError, LookupError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 1 << 62


def check(size: int, what: str) -> None:
    """Raise ValueError if fewer bytes are free than are needed; `what` begins the sentence."""
    there = free()
    if size > there:
        raise ValueError(f"{what} would take {size / 1e9:,.1f} GB of memory, and {there / 1e9:,.1f} GB are free")
