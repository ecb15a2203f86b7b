"""Train several seeds of a cell at once: each in its own thread, with their calls to devices and environments merged.

A seed that makes a call waits until all other active seeds make one too. Updates are then served first, actions next
and environments last, so that seeds that got out of step catch up. The rest of a run is not affected.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...datasets.transition import blank
from .. import machine
from ..display import Display
from ..runs.run_folder import listening
from ..tasks.environments import Environment, Step, make
from ..tasks.task import Task
from ..training.programs import Program

ORDER = ("update", "act", "step", "make")


def unrolled(call: Callable[..., Any]) -> Callable[..., tuple]:
    """Return one program that makes the call for each seed's arguments, with bitwise the same results."""
    return jax.jit(lambda *each: tuple(call(*arguments) for arguments in each))


def mapped(call: Callable[..., Any]) -> Callable[..., tuple]:
    """Return one program that makes all calls by vmap, equal up to rounding. Arguments that seeds share are not
    copied."""

    @partial(jax.jit, static_argnums=(0, 1))
    def go(size: int, kinds: tuple[str, ...], *columns: Any) -> tuple:
        stack = partial(jax.tree.map, lambda *rows: jnp.stack(rows))
        stacked = [stack(*one) if kind == "device" else one for kind, one in zip(kinds, columns, strict=True)]
        results = jax.vmap(call, [None if kind == "common" else 0 for kind in kinds])(*stacked)
        return tuple(jax.tree.map(lambda rows: rows[number], results) for number in range(size))  # noqa: B023

    def together(*each: tuple) -> tuple:
        kinds, columns = [], []
        for column in zip(*each, strict=True):
            leaves = jax.tree.leaves(column)
            if all(one is column[0] for one in column):
                kind, column = "common", column[0]
            elif any(isinstance(leaf, jax.Array) for leaf in leaves):
                kind = "device"
            else:  # stacked on the host, they are one transfer instead of many
                kind, column = "host", jax.tree.map(lambda *rows: np.stack(rows), *column)
            kinds.append(kind)
            columns.append(column)
        return go(len(each), tuple(kinds), *columns)

    return together


def together(works: Sequence[Callable[["SeedWorker"], Any]], way: Any = None) -> list[Any]:
    """Run all jobs at once, each with its worker; return each result, or the exception that ended it.

    Signals to stop are passed on to all of them, since threads do not receive signals.
    """
    machine.peak_flops()  # measured once, before the machine is busy
    seeds = Seeds(len(works), way)
    ended: list[Any] = [None] * len(works)

    def one(number: int) -> None:
        try:
            with seeds.workers[number] as worker:
                ended[number] = works[number](worker)
        except BaseException as error:
            ended[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(works))]
    with listening(seeds.stop, Display()):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return ended


class Seeds:
    """Coordinate the seeds, each of which has a worker.

    `way` merges their calls into one program. On a CPU, unrolling is the fastest (five seeds of 6,000 steps of MinAtar
    in 17.8 s, by vmap in 18.3), and it is exact.

    If there are enough devices, each worker gets its own: seeds are spread over devices, not batches.
    """

    def __init__(self, size: int, way: Callable[[Callable[..., Any]], Callable[..., tuple]] | None = None):
        devices, self._way = jax.local_devices(), way or (unrolled if jax.default_backend() == "cpu" else mapped)
        self.stop, self._lock = threading.Event(), threading.Condition()
        clocks = [_Clock(len(range(number, size, len(devices)))) for number in range(min(size, len(devices)))]
        places = [(devices[at], clocks[at]) for at in (number % len(devices) for number in range(size))]
        self.workers = [SeedWorker(self, *place) for place in places]
        self.at_work = list(self.workers)
        self._asked: dict[SeedWorker, tuple[str, Any, tuple]] = {}  # the kind of call, its function, its arguments
        self._answers: dict[SeedWorker, Any] = {}
        self._ways: dict[Any, Callable[..., tuple]] = {}
        self._known: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return a value that all seeds share, made by the first that asks for it."""
        with self._lock:
            if key not in self._known:
                self._known[key] = make()
            return self._known[key]

    def meet(self, worker: "SeedWorker", kind: str, what: Any, arguments: tuple) -> Any:
        """Wait for this worker's turn; return its result, or raise what its call raised."""
        worker.wait()
        with self._lock:
            self._asked[worker] = (kind, what, arguments)
            self._serve()
            self._lock.wait_for(lambda: worker in self._answers)
            answer = self._answers.pop(worker)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def leave(self, worker: "SeedWorker") -> None:
        """Let the others continue without this worker."""
        worker.wait()
        with self._lock:
            self.at_work.remove(worker)
            self._serve()

    def _serve(self) -> None:
        """Once all have asked: serve those whose turn it is, grouped by equal calls."""
        if not self._asked or len(self._asked) < len(self.at_work):
            return
        first = min((kind for kind, *_ in self._asked.values()), key=ORDER.index)
        groups: dict[Any, list[SeedWorker]] = {}
        for worker in [worker for worker in self.workers if worker in self._asked and self._asked[worker][0] == first]:
            group = worker.device if first in ("update", "act") else None
            groups.setdefault((group, self._asked[worker][1]), []).append(worker)
        for (device, what), workers in groups.items():
            each = [self._asked.pop(worker)[2] for worker in workers]
            for worker in workers:
                worker.go_on()
            try:
                answers: Sequence[Any] = self._called(device, what, workers, each) if device else what(workers, each)
            except Exception as error:
                answers = [error] * len(workers)
            self._answers.update(zip(workers, answers, strict=True))
        self._lock.notify_all()

    def _called(self, device: Any, call: Callable[..., Any], workers: list["SeedWorker"], each: list[tuple]) -> Any:
        """Make the calls of a device as one program; one after another if only some of its seeds make the call."""
        with jax.default_device(device):
            if len(workers) == 1 or len(workers) < len(self.beside(device)):
                return [call(*arguments) for arguments in each]
            if call not in self._ways:
                self._ways[call] = self._way(call)
            return self._ways[call](*each)

    def beside(self, device: Any) -> list["SeedWorker"]:
        """Return the active workers of a device."""
        return [worker for worker in self.at_work if worker.device == device]


class _Clock:
    """The time of a device: each second is divided among the workers that do not wait."""

    def __init__(self, workers: int):
        self._lock, self._workers = threading.Lock(), workers
        self._seconds, self._now = 0.0, time.perf_counter()

    def read(self, more: int = 0) -> float:
        """Return the seconds of a worker that never waited; `more` workers share the time from now on."""
        with self._lock:
            before, self._now = self._now, time.perf_counter()
            self._seconds += (self._now - before) / max(self._workers, 1)
            self._workers += more
            return self._seconds


class SeedWorker:
    """The worker of one seed, like `programs.Alone` for a single run. As a context manager it belongs to the thread."""

    def __init__(self, seeds: Seeds, device: Any, clock: "_Clock"):
        self._seeds, self.device, self.stop = seeds, device, seeds.stop
        self._here, self._clock = jax.default_device(device), clock
        self._waited, self._began = 0.0, 0.0  # seconds of the clock

    def __enter__(self) -> "SeedWorker":
        self._here.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._here.__exit__(*error)
        self._seeds.leave(self)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        return self._seeds.once(key, make)

    def clock(self) -> float:
        """Return this worker's seconds: its part of the device's time, without that in which it waited for others."""
        return self._clock.read() - self._waited

    def wait(self) -> None:
        """Stop this worker's clock: it waits for its turn."""
        self._began = self._clock.read(-1)

    def go_on(self) -> None:
        """Start this worker's clock again."""
        self._waited += self._clock.read(1) - self._began

    def place(self, batch: Any) -> Any:
        """Return the batch unchanged: the seeds are spread over the devices."""
        return batch

    def call(self, phase: str, program: Program, arguments: tuple) -> Any:
        return self._seeds.meet(self, "act" if phase == "act" else "update", program.call, arguments)

    def environment(self, task: Task, seed: np.ndarray, threads: int) -> Environment:
        """Return these environments [N] as a part of one vector environment for all seeds."""

        def made(workers: list[SeedWorker], each: list[tuple]) -> list[Environment]:
            whole = make(task, np.concatenate([seeds for (seeds,) in each]), threads)
            ends = np.cumsum([len(seeds) for (seeds,) in each])
            shared = _Shared(whole)
            return [
                SharedRows(worker, shared, slice(end - len(one[0]), end))
                for worker, end, one in zip(workers, ends, each, strict=True)
            ]

        return self._seeds.meet(self, "make", self._seeds.once(("make", threads), lambda: made), (seed,))

    def step(self, whole: "_Shared", rows: slice, actions: np.ndarray) -> Step:
        return self._seeds.meet(self, "step", whole.step, (rows, actions))


class _Shared:
    """A vector environment shared by several seeds."""

    def __init__(self, whole: Environment):
        self.whole = whole

    def step(self, workers: list[SeedWorker], each: list[tuple]) -> list[Step]:
        """Step all environments; those of seeds that have ended take any action."""
        one = blank(self.whole.actions)
        actions = np.broadcast_to(one, (self.whole.n, *one.shape)).copy()
        for rows, chosen in each:
            actions[rows] = chosen
        told = self.whole.step(actions)
        return [Step(*(column[rows] for column in told)) for rows, _ in each]


class SharedRows:
    """Some rows of a shared vector environment: an `Environment` that steps when all others do."""

    def __init__(self, worker: SeedWorker, shared: _Shared, rows: slice):
        self._worker, self._shared, self._rows = worker, shared, rows
        self.n, self.actions = rows.stop - rows.start, shared.whole.actions

    def observe(self) -> np.ndarray:
        return self._shared.whole.observe()[self._rows]

    def step(self, actions: np.ndarray) -> Step:
        return self._worker.step(self._shared, self._rows, actions)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._shared.whole.restart(self._rows.start + which, seed)
