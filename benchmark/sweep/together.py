"""Several seeds of one cell at once: each in a thread of its own, what they ask of devices and environments as one.

A seed that asks waits until all others that are still at work ask as well. Then updates go first, actions next and
environments last, so that seeds that got out of step wait for each other. Nothing else of a run knows of this.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import machine
from ..display import Display
from ..runs.run_folder import listening
from ..tasks.environments import Environment, Step, make
from ..tasks.task import Task
from ..training.programs import Program

ORDER = ("update", "act", "step", "make")


def unrolled(call: Callable[..., Any]) -> Callable[..., tuple]:
    """Return one program that makes the call once for each seed's arguments:
    to the last bit what the calls alone give."""
    return jax.jit(lambda *each: tuple(call(*arguments) for arguments in each))


def mapped(call: Callable[..., Any]) -> Callable[..., tuple]:
    """Return one program that makes all calls by vmap; equal but for rounding.
    What seeds have in common is not copied."""

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
            else:  # stacked here, they are one transfer instead of many
                kind, column = "host", jax.tree.map(lambda *rows: np.stack(rows), *column)
            kinds.append(kind)
            columns.append(column)
        return go(len(each), tuple(kinds), *columns)

    return together


def together(works: Sequence[Callable[["Seat"], Any]], way: Any = None) -> list[Any]:
    """Do all at once, each with its seat; what each gave, or the exception that ended it.

    Signals to stop, which threads do not hear, reach all of them.
    """
    machine.peak_flops()  # measured once, before they keep the machine busy
    company = Company(len(works), way)
    ended: list[Any] = [None] * len(works)

    def one(number: int) -> None:
        try:
            with company.seats[number] as seat:
                ended[number] = works[number](seat)
        except BaseException as error:
            ended[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(works))]
    with listening(company.stop, Display()):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return ended


class Company:
    """The seeds, of which each has a seat. `way` makes one program of their calls; on a CPU unrolled was the faster
    one (five seeds of 6,000 steps of MinAtar in 17.8 s, by vmap in 18.3), and is exact.

    Each seat has a device for its own, as far as there are enough: seeds are spread over devices, not batches.
    """

    def __init__(self, size: int, way: Callable[[Callable[..., Any]], Callable[..., tuple]] | None = None):
        devices, self._way = jax.local_devices(), way or (unrolled if jax.default_backend() == "cpu" else mapped)
        self.stop, self._lock = threading.Event(), threading.Condition()
        self.seats = [Seat(self, devices[number % len(devices)]) for number in range(size)]
        self.at_work = list(self.seats)
        self._asked: dict[Seat, tuple[str, Any, tuple]] = {}  # the kind, what is asked, its arguments
        self._answers: dict[Seat, Any] = {}
        self._ways: dict[Any, Callable[..., tuple]] = {}
        self._known: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what all seeds share: made by the first that asks."""
        with self._lock:
            if key not in self._known:
                self._known[key] = make()
            return self._known[key]

    def meet(self, seat: "Seat", kind: str, what: Any, arguments: tuple) -> Any:
        """Wait until it is this seat's turn; its result, or what its call raised."""
        with self._lock:
            self._asked[seat] = (kind, what, arguments)
            self._serve()
            self._lock.wait_for(lambda: seat in self._answers)
            answer = self._answers.pop(seat)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def leave(self, seat: "Seat") -> None:
        """Let the others go on without it."""
        with self._lock:
            self.at_work.remove(seat)
            self._serve()

    def _serve(self) -> None:
        """Once all have asked: those whose turn it is, in groups that ask the same."""
        if not self._asked or len(self._asked) < len(self.at_work):
            return
        first = min((kind for kind, *_ in self._asked.values()), key=ORDER.index)
        groups: dict[Any, list[Seat]] = {}
        for seat in [seat for seat in self.seats if seat in self._asked and self._asked[seat][0] == first]:
            group = seat.device if first in ("update", "act") else None
            groups.setdefault((group, self._asked[seat][1]), []).append(seat)
        for (device, what), seats in groups.items():
            each = [self._asked.pop(seat)[2] for seat in seats]
            try:
                answers: Sequence[Any] = self._called(device, what, seats, each) if device else what(seats, each)
            except Exception as error:
                answers = [error] * len(seats)
            self._answers.update(zip(seats, answers, strict=True))
        self._lock.notify_all()

    def _called(self, device: Any, call: Callable[..., Any], seats: list["Seat"], each: list[tuple]) -> Any:
        """Call all of a device as one program; one after another where only some ask the same."""
        with jax.default_device(device):
            if len(seats) == 1 or len(seats) < len(self.beside(device)):
                return [call(*arguments) for arguments in each]
            if call not in self._ways:
                self._ways[call] = self._way(call)
            return self._ways[call](*each)

    def beside(self, device: Any) -> list["Seat"]:
        """Return those at work on a device."""
        return [seat for seat in self.at_work if seat.device == device]


class Seat:
    """One seed's place: what `device.Alone` is to a run alone. As a context it is the thread's, and left at its end."""

    def __init__(self, company: Company, device: Any):
        self._company, self.device, self.stop = company, device, company.stop
        self._here = jax.default_device(device)

    def __enter__(self) -> "Seat":
        self._here.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._here.__exit__(*error)
        self._company.leave(self)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        return self._company.once(key, make)

    def share(self) -> float:
        """Of the time that passes: it is divided between those on the same device."""
        return 1.0 / max(len(self._company.beside(self.device)), 1)

    def place(self, batch: Any) -> Any:
        """Leave a batch as it is: the seeds are spread over the devices."""
        return batch

    def call(self, phase: str, program: Program, arguments: tuple) -> Any:
        return self._company.meet(self, "act" if phase == "act" else "update", program.call, arguments)

    def environment(self, task: Task, seed: np.ndarray, threads: int) -> Environment:
        """Return these environments [N], as a part of one vector environment of all seeds."""

        def made(seats: list[Seat], each: list[tuple]) -> list[Environment]:
            whole = make(task, np.concatenate([seeds for (seeds,) in each]), threads)
            ends = np.cumsum([len(seeds) for (seeds,) in each])
            shared = _Shared(whole)
            return [
                Part(seat, shared, slice(end - len(one[0]), end))
                for seat, end, one in zip(seats, ends, each, strict=True)
            ]

        return self._company.meet(self, "make", self._company.once(("make", threads), lambda: made), (seed,))

    def step(self, whole: "_Shared", rows: slice, actions: np.ndarray) -> Step:
        return self._company.meet(self, "step", whole.step, (rows, actions))


class _Shared:
    """A vector environment of several seeds."""

    def __init__(self, whole: Environment):
        self.whole = whole

    def step(self, seats: list[Seat], each: list[tuple]) -> list[Step]:
        """Of seeds that have ended, the environments take any action."""
        actions = np.zeros(self.whole.n, int)
        for rows, chosen in each:
            actions[rows] = chosen
        told = self.whole.step(actions)
        return [Step(*(column[rows] for column in told)) for rows, _ in each]


class Part:
    """Some rows of a shared vector environment: an `Environment` that steps when all others do."""

    def __init__(self, seat: Seat, shared: _Shared, rows: slice):
        self._seat, self._shared, self._rows = seat, shared, rows
        self.n, self.actions = rows.stop - rows.start, shared.whole.actions

    def observe(self) -> np.ndarray:
        return self._shared.whole.observe()[self._rows]

    def step(self, actions: np.ndarray) -> Step:
        return self._seat.step(self._shared, self._rows, actions)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._shared.whole.restart(self._rows.start + which, seed)
