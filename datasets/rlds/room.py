"""Limits on the memory for an untrusted file: the size it announces is compared with free memory before allocation."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

# Limits of process groups, as set by containers and Slurm: path, limit, usage.
GROUPS = {
    "": ("/sys/fs/cgroup", "memory.max", "memory.current"),
    "memory": ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}
BOUNDS = (("RLIMIT_DATA", "VmData"), ("RLIMIT_AS", "VmSize"))  # of this process, as set by `ulimit`
ENDLESS = 1 << 62


def free() -> int:
    """Return the bytes of memory that this process can still allocate; infinity if the system reports no limit."""
    return max(0, min(_machine(), _group(), *(_own(*bound) for bound in BOUNDS)))


def check(size: int, what: str) -> None:
    """Raise ValueError if fewer bytes are free than needed; `what` starts the message."""
    there = free()
    if size > there:
        raise ValueError(f"{what} would take {size / 1e9:,.1f} GB of memory, and {there / 1e9:,.1f} GB are free")


@contextmanager
def bounded(what: str) -> Iterator[None]:
    """Let the block use half of the free memory, and raise ValueError if it needs more.

    This is for libraries whose output size is unknown before decoding. It applies to the whole process.
    """
    there = free() // 2
    taken = _kilobytes("/proc/self/status", "VmData")
    if resource is None or taken is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = taken + there if soft == resource.RLIM_INFINITY else min(soft, taken + there)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    try:
        yield
    except MemoryError:
        raise ValueError(f"{what} would take more than {there / 1e9:,.1f} GB of memory, half of what is free") from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _machine() -> int:
    there = _kilobytes("/proc/meminfo", "MemAvailable")
    if there is not None:
        return there
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return ENDLESS


def _group() -> int:
    """Return the smallest remainder among the groups of this process."""
    left = [ENDLESS]
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ENDLESS
    for line in lines:
        _, kind, group = line.split(":", 2)
        if kind in GROUPS:
            root, limit, taken = GROUPS[kind]
            place = Path(root, group.lstrip("/"))
            left += [_left(one, limit, taken) for one in (place, *place.parents) if one.is_relative_to(root)]
    return min(left)


def _left(place: Path, limit: str, taken: str) -> int:
    """Return the remainder of a group's limit. Page cache does not count, since the system reclaims it."""
    try:
        stat = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
        files = int(stat["inactive_file"]) + int(stat["active_file"])
        return int((place / limit).read_text()) - int((place / taken).read_text()) + files
    except (OSError, LookupError, ValueError):  # no such group, or no limit
        return ENDLESS


def _own(bound: str, taken: str) -> int:
    there = _kilobytes("/proc/self/status", taken)
    soft = -1 if resource is None else resource.getrlimit(getattr(resource, bound))[0]
    return ENDLESS if there is None or soft == -1 else soft - there


def _kilobytes(path: str, name: str) -> int | None:
    """Return a line of one of the system's tables in bytes; None if there is none."""
    try:
        with open(path) as file:
            facts = dict(line.split(":", 1) for line in file if ":" in line)
        return 1024 * int(facts[name].split()[0])
    except (OSError, LookupError, ValueError):
        return None
