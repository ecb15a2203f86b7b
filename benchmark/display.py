"""How a run is shown: a live view, plain lines, JSON lines, or nothing."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ..datasets.words import several
from ..leaderboard.units import UNIT, clock, short
from .training.observer import Status
from .training.time_left import TimeLeft

WINDOW = 1.0  # minimum seconds over which a speed is measured


class Speed:
    """Recent agent steps and updates per second; evaluations in between do not count."""

    def __init__(self) -> None:
        self.steps = self.updates = 0.0
        self._before: tuple[float, float, float] | None = None

    def see(self, status: Status) -> None:
        """Take in a status; its clock stands still during evaluations."""
        now = tuple(status.spent[unit] for unit in ("seconds", "steps", "updates"))
        took, steps, updates = (a - b for a, b in zip(now, self._before or now, strict=True))
        if self._before is None or took >= WINDOW:
            self._before = now  # pyright: ignore[reportAttributeAccessIssue]
            if took:
                self.steps, self.updates = steps / took, updates / took


def share(status: Status) -> float:
    """Return the completed share of the phase, in [0, 1]."""
    spent, plan = status.spent, status.plan
    if status.phase == "offline":
        return min(spent["updates"] / max(plan.offline_updates, 1), 1.0)
    return min(spent["steps"] / max(plan.steps, 1), 1.0)


LIVE_SECONDS, JSON_SECONDS, PLAIN_SECONDS = 0.1, 1.0, 15.0  # between two updates of the display
WIDTH = 28  # characters of a bar


class Bar:
    """A phase of known length."""

    def __init__(self, show: "Display", label: str, total: float, unit: str):
        self._show, self._label, self._total, self._unit = show, label, total, unit
        self._started = self._told = time.monotonic()

    def to(self, done: float, note: str = "", **more: float) -> None:
        """Move the bar. Named numbers, such as steps=1200, are shown with their rate, followed by the note."""
        now = time.monotonic()
        if now - self._told < self._show.patience:
            return
        self._told = now
        took = now - self._started
        rates = {f"{name}/s": round(number / took, 1) for name, number in more.items()}
        words = [f"{done:,.0f}/{self._total:,.0f} {self._unit}"]
        words += [f"{rate:,.0f} {name}" for name, rate in rates.items()]
        words += [f"about {clock(took * (self._total - done) / done)} left"] if done else []
        words += [note] if note else []
        facts = {"label": self._label, "done": done, "total": self._total, "unit": self._unit, **rates}
        facts |= {"note": note} if note else {}
        self._show.draw(self._label, done / max(self._total, 1), words, "progress", facts)


class Display:
    """Show progress on standard error, so that results on standard output can be piped; or in a file.

    `lines`: as JSON, one object per line; its `event` is note, progress, status or point.
    """

    def __init__(self, quiet: bool = False, lines: bool = False, file: IO[str] | None = None):
        self._console = Console(stderr=True, quiet=quiet, file=file)
        self._quiet, self._json = quiet, lines
        self._on_terminal = self._console.is_terminal and not quiet and not lines
        self.patience = LIVE_SECONDS if self._on_terminal else JSON_SECONDS if lines else PLAIN_SECONDS
        self._live: Live | None = None
        self._head: tuple[str, float, list[str]] | None = None  # current activity, completed share, details
        self._status: Status | None = None
        self._other: Callable[[], RenderableType] | None = None  # drawn in place of all that
        self._played = 0.0  # seconds of the latest phase; before a point that is the evaluation
        self._speed, self._left, self._said, self._spinner = Speed(), TimeLeft(), 0.0, Spinner("dots")

    def __enter__(self) -> "Display":
        if self._on_terminal:
            options: dict[str, Any] = {"refresh_per_second": 8, "transient": True}
            self._live = Live(get_renderable=self._picture, console=self._console, **options)
            self._live.start()
        return self

    def __exit__(self, *error) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def note(self, text: str, style: str = "") -> None:
        """Print a permanent line without interpreting markup, since folder names may contain brackets."""
        if self._json:
            self._tell("note", {"text": text})
        else:
            self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def phase(self, label: str, total: float, unit: str) -> Iterator[Bar]:
        """Show a phase until it ends, then print how long it took."""
        started, before = time.monotonic(), self._head
        self._head = (label, 0.0, [])
        yield Bar(self, label, total, unit)
        self._head, self._played = before, time.monotonic() - started
        if self._status is None:
            self._left.expect(self._played)
        self._left.paused(self._played)
        self.note(f"{label}: {several(round(total), unit.removesuffix('s'))} in {self._played:.1f} s", "dim")

    def draw(self, label: str, done: float, words: list[str], event: str, facts: dict[str, Any]) -> None:
        """Show the current activity in the live view, as a plain line, or as `facts` in JSON."""
        self._head = (label, done, words)
        if self._json:
            self._tell(event, facts)
        elif self._live is None:
            self.note(f"{label}: {done:4.0%}  {'  '.join(words)}")

    def status(self, status: Status) -> None:
        """Show the state of training: completed share, budget used per limit, speed, losses, time left."""
        self._status = status
        now = time.monotonic()
        self._speed.see(status)
        self._left.see(status, now)
        if now - self._said < self.patience:
            return
        self._said = now
        words = [] if self._live else [*self._pace(status), *_used(status), *_results(status)]
        label = "training on the log" if status.phase == "offline" else "training in the game"
        self.draw(label, share(status), words, "status", _facts(status, self._speed, self._left.seconds(status)))

    def point(self, spent: dict[str, float], mean: float, who: str = "") -> None:
        """Show that a sample budget was reached and evaluated; `who` names the student if several are trained."""
        self._left.evaluated(self._played)
        self._played = 0.0
        if self._json:
            return self._tell("point", {**({"student": who} if who else {}), "spent": spent, "return": mean})
        steps, updates = short(spent["steps"]), short(spent["updates"])
        whose = f"{who}, " if who else ""
        self.note(f"{whose}after {steps} steps and {updates} updates: mean return {mean:.1f}", "bold")

    @contextmanager
    def drawing(self, picture: Callable[[], RenderableType]) -> Iterator[None]:
        """Show what `picture` returns in the live view while the block runs."""
        self._other = picture
        try:
            yield
        finally:
            self._other = None

    def _tell(self, event: str, facts: dict[str, Any]) -> None:
        if not self._quiet:
            self._console.file.write(json.dumps({"event": event, **facts}) + "\n")
            self._console.file.flush()

    def _pace(self, status: Status) -> list[str]:
        speeds = {"steps": self._speed.steps, "updates": self._speed.updates}
        left = self._left.seconds(status)
        words = [f"{rate:,.0f} {unit}/s" for unit, rate in speeds.items() if rate >= 0.5]
        return words + ([f"about {clock(left)} left"] if left is not None else [])

    def _picture(self) -> RenderableType:
        """Return the live view. Rich calls this several times a second from its own thread."""
        if self._other:
            return self._other()
        parts: list[Any] = []
        if self._head:
            label, done, words = self._head
            top = Table.grid(padding=(0, 1))
            top.add_row(self._spinner, Text(label, "bold"), ProgressBar(1.0, done, WIDTH), f"{done:.0%}", *words)
            parts.append(top)
        if self._status is not None:
            limits = Table.grid(padding=(0, 1))
            for unit, (used, limit) in self._status.limits().items():
                bar = ProgressBar(1.0, min(used / limit, 1.0), WIDTH)
                limits.add_row(f"  {unit}", bar, f"{used / limit:.0%}", f"{_amount(unit, used)}/{_amount(unit, limit)}")
            lines = [self._pace(self._status), _results(self._status)]
            parts += [limits, *(Text("  " + "  ".join(line)) for line in lines if line)]
        return Group(*parts)


def _used(status: Status) -> list[str]:
    """Describe each limit and how much of it is spent."""
    limits = status.limits().items()
    return [f"{unit} {_amount(unit, used)}/{_amount(unit, limit)}" for unit, (used, limit) in limits]


def _results(status: Status) -> list[str]:
    words = [f"training return {np.mean(status.returns):.1f}"] if status.returns else []
    return words + [f"{name} {loss:.3g}" for name, loss in status.losses.items()]


def _facts(status: Status, speed: Speed, left: float | None) -> dict[str, Any]:
    """Return a status as data for programs."""
    return {
        "phase": status.phase,
        "share": share(status),
        "spent": status.spent,
        "budget": status.budget.limits(),
        "steps/s": round(speed.steps, 1),
        "updates/s": round(speed.updates, 1),
        "seconds_left": None if left is None else round(left, 1),
        "training_return": float(np.mean(status.returns)) if status.returns else None,
        "losses": status.losses,
        **status.extra,
    }


def _amount(unit: str, number: float) -> str:
    return UNIT[unit].written(number)
