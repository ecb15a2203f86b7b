"""What a person sees while a run goes on: a live view in a terminal, plain lines elsewhere, nothing when quiet."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

PLAIN_SECONDS = 15.0  # between two lines where there is no terminal


class Bar:
    """One phase of known length."""

    def __init__(self, show: "Display", label: str, total: float, unit: str):
        self._show, self._label, self._total, self._unit = show, label, total, unit
        self._started = self._told = time.monotonic()

    def to(self, done: float, note: str = "", **more: float) -> None:
        """Moves the bar. Named numbers are shown with their rate, such as steps=1200, and the note behind them."""
        now = time.monotonic()
        if now - self._told < self._show.patience:
            return
        self._told = now
        took = now - self._started
        rates = "  ".join(f"{number / took:,.0f} {name}/s" for name, number in more.items())
        left = f"{took * (self._total - done) / done:,.0f} s left" if done else ""
        words = f"{done:,.0f}/{self._total:,.0f} {self._unit}  {rates}  {left}  {note}".rstrip()
        self._show.draw(self._label, done / max(self._total, 1), words)


class Display:
    """Everything goes to standard error, so that results on standard output can be piped."""

    def __init__(self, quiet: bool = False):
        self._console = Console(stderr=True, quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self.patience = 0.1 if self._live else PLAIN_SECONDS
        self._bars: Progress | None = None
        self._bar_id = None
        self._before: tuple[float, float, float] = (0.0, 0.0, 0.0)  # time, steps, updates
        self._said = 0.0
        self._speed = {"steps": 0.0, "updates": 0.0}

    def __enter__(self) -> "Display":
        if self._live:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(24),
                TextColumn("{task.fields[words]}"),
            )
            self._bars = Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True)
            self._bars.start()
        return self

    def __exit__(self, *error) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def note(self, text: str, style: str = "") -> None:
        """A line that stays, as it is: names of folders may have brackets."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def phase(self, label: str, total: float, unit: str) -> Iterator[Bar]:
        """Shows a phase until it is over, then says how long it took."""
        started = time.monotonic()
        self.draw(label, 0.0, "", fresh=True)
        yield Bar(self, label, total, unit)
        self.note(f"{label}: {total:,.0f} {unit} in {time.monotonic() - started:.1f} s", "dim")

    def draw(self, label: str, share: float, words: str, fresh: bool = False) -> None:
        """The bar of what is going on now."""
        if self._bars is not None:
            if fresh or self._bar_id is None:
                if self._bar_id is not None:
                    self._bars.remove_task(self._bar_id)
                self._bar_id = self._bars.add_task(label, total=1.0, words=words)
            self._bars.update(self._bar_id, description=label, completed=share, words=words)
        elif words:
            self.note(f"{label}: {share:4.0%}  {words}")

    def status(self, status) -> None:
        """The state of training: share of the plan, budget used per limit, speed, losses, time left."""
        now, spent, plan = time.monotonic(), status.spent, status.plan
        took = now - self._before[0]
        if took > 1.0:
            if spent["updates"] > self._before[2] or spent["steps"] > self._before[1]:
                self._speed = {
                    "steps": (spent["steps"] - self._before[1]) / took,
                    "updates": (spent["updates"] - self._before[2]) / took,
                }
            self._before = (now, spent["steps"], spent["updates"])
        if now - self._said < self.patience:
            return
        self._said = now
        offline = status.phase == "offline"
        share = spent["updates"] / max(plan.offline_updates, 1) if offline else spent["steps"] / plan.steps
        all_done = max(spent["updates"] / plan.updates, spent["steps"] / max(plan.steps, 1))
        speed = ", ".join(f"{rate:,.0f} {unit}/s" for unit, rate in self._speed.items() if rate >= 0.5)
        words = [f"{share:.0%}", speed]
        words += [f"{unit} {short(used)}/{short(limit)}" for unit, (used, limit) in status.limits().items()]
        if self._speed["updates"] > 0.5:
            words.append(f"{clock((1 - all_done) * plan.updates / self._speed['updates'])} left")
        if status.returns:
            words.append(f"training return {np.mean(status.returns):.1f}")
        words += [f"{name} {loss:.3g}" for name, loss in status.losses.items()]
        self.draw("training on the log" if offline else "training in the game", share, "  ".join(filter(None, words)))

    def point(self, spent: dict[str, float], mean: float) -> None:
        """A sample budget is reached and evaluated."""
        steps, updates = short(spent["steps"]), short(spent["updates"])
        self.note(f"after {steps} steps and {updates} updates: mean return {mean:.1f}", "bold")


def short(number: float) -> str:
    """12345678 -> 12.3M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def clock(seconds: float) -> str:
    """75 -> 1:15; 3700 -> 1:01:40."""
    whole = int(max(seconds, 0.0))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
