"""Run cells on this machine: as many processes at once as cores, memory and accelerators allow."""

import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from ..machine import cores
from .cell import Needs, Stopped, launch

RESERVE = 0.9  # share of the free memory that cells may use


class Local:
    """The backend for this machine."""

    name, options = "local", ""

    def explain(self) -> str:
        """Describe in a few words where the cells run."""
        return "processes on this machine"

    def room(self, needs: Needs) -> int:
        """Return how many cells fit on this machine at once, at least one."""
        return room(needs)

    def cost(self, hours: float, runs: int, options: Mapping[str, str]) -> str:
        """Return an empty text: this machine is free of charge."""
        return ""

    def execute(
        self,
        folder: Path,
        names: Sequence[str],
        needs: Needs,
        jobs: int,
        tick: Callable[[], None],
        options: Mapping[str, str],
    ) -> None:
        """Work on all cells; see `execute`."""
        execute(folder, names, needs, jobs or room(needs), tick)


def execute(folder: Path, names: Sequence[str], needs: Needs, jobs: int, tick: Callable[[], None]) -> None:
    """Work on all cells; `tick` is called about once per second. If it raises, all cells save and stop first."""
    stop, slots = threading.Event(), queue.SimpleQueue()
    for slot in _slots(needs, jobs):
        slots.put(slot)

    def one(name: str) -> None:
        slot = slots.get()
        try:
            launch(folder, name, needs, stop, slot)
        finally:
            slots.put(slot)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = [pool.submit(one, name) for name in names]
            pending = set(futures)
            while pending:
                _, pending = wait(pending, timeout=1.0)
                tick()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    for future in futures:
        fault = future.exception()
        if fault is not None and not isinstance(fault, Stopped):
            raise fault


def room(needs: Needs) -> int:
    """Return how many cells fit on this machine at once, at least one."""
    fits = [cores() // max(needs.cpus, 1)]
    if needs.memory:
        fits.append(int(RESERVE * free_memory() / needs.memory))
    if needs.gpus:
        fits.append(int(len(accelerators()) / needs.gpus))
    return max(min(fits), 1)


def free_memory(path: Path = Path("/proc/meminfo")) -> float:
    """Return the bytes of memory available without swapping; infinity if the system does not report them."""
    try:
        facts = dict(line.split(":") for line in path.read_text().splitlines())
        return 1024.0 * int(facts["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return float("inf")


def accelerators(devices: Path = Path("/dev")) -> list[str]:
    """Return the numbers of the NVIDIA devices that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name.strip()]
    return sorted(path.name[6:] for path in devices.glob("nvidia[0-9]*"))


def _slots(needs: Needs, jobs: int) -> list[dict[str, str]]:
    """Return the environment variables of each parallel cell: its accelerators, and its share of their memory."""
    found = accelerators() if needs.gpus else []
    if not found:
        return [{} for _ in range(jobs)]
    if needs.gpus < 1:
        share = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{RESERVE * needs.gpus:.3f}"}
        return [{"CUDA_VISIBLE_DEVICES": found[i % len(found)], **share} for i in range(jobs)]
    each = int(needs.gpus)
    return [{"CUDA_VISIBLE_DEVICES": ",".join((found * each)[i * each : (i + 1) * each])} for i in range(jobs)]
