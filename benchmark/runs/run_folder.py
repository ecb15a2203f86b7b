"""The files of a run: its ledger, metrics, checkpoints, students, configuration and record."""

import json
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ...agents import moments
from ...agents.method import Learner
from ...agents.teacher import digest, flatten
from ...datasets import atomic
from ...datasets.folders import regular
from ...datasets.teachers import weights
from ...leaderboard import record as records
from ...leaderboard.ledger import FASTER, LIMIT, START, Ledger, beyond, chained, faults, mend, read, sealed
from ...leaderboard.record import Evaluation, RunRecord
from .. import machine
from ..display import Display
from ..prior.load import OPTIMIZER
from ..training import weaning
from ..training.observer import Interrupted, Observer, Snapshot, Status
from ..training.state import TrainingState
from . import checkpoint
from .metrics import Metrics

ASIDE = "ledger.damaged.jsonl"  # lines moved out of a damaged ledger
LEDGER_SECONDS = 60.0  # maximum between two lines
SHARE = 0.01  # maximum share of the time for checkpoints


def place_of(folder: Path) -> int:
    """Return a folder's inode, which renaming keeps and a copy does not have."""
    return folder.stat().st_ino


def damaged(folder: Path, lines: Sequence[dict]) -> list[Path]:
    """Return the ledger's students that are missing, or whose weights have another digest."""
    found = []
    for line in lines:
        if line.get("event") in ("point", "end"):
            try:
                same = digest(weights.load(folder / line["file"])) == line["parameters"]
            except ValueError:
                same = False
            found += [] if same else [folder / line["file"]]
    return found


@contextmanager
def listening(stop: threading.Event, show: Display) -> Iterator[None]:
    """Set `stop` on Ctrl-C or SIGTERM, and exit on the second one. Signals reach only the main thread."""

    def heard(number, frame):
        stop.set()
        show.note("stopping at the next update; once more stops at once", "bold")
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    heeded = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, heard) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class NoCheckpoint(ValueError):
    """A run cannot go on, since none of its checkpoints can be read."""


class RunFolder(Observer):
    """The files of a run. Nothing is on disk before `open`; `reopen` continues an interrupted run.

    A new run's folder appears with its first ledger line and its configuration, or not at all. Later files are written
    completely, or line by line.
    """

    def __init__(self, folder: Path, show: Display, stop: threading.Event | None = None):
        self.folder, self._show, self._metrics = folder, show, Metrics(folder)
        self._replay, self._keep_all, self._held = True, False, None
        self._ledger_at = self._saved_at = time.monotonic()
        self._began = time.perf_counter()  # before the stopwatch starts
        self._pause, self._parts, self._stop = 0.0, [], stop or threading.Event()
        self._lines: list[dict] = []
        self._lost: dict[str, Any] = {}  # the last intact line of those moved away
        self.facts: dict[str, Any] = {}  # of a resumed run

    def remembers(self, replay: bool, all_of_it: bool, sinks: Sequence[str] = ()) -> None:
        """Set whether checkpoints hold the replay and the steps dropped by the ring, and which trackers to use."""
        self._metrics = Metrics(self.folder, sinks)
        self._replay, self._keep_all = replay or all_of_it, all_of_it
        self.keeps_all = all_of_it

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 0."""
        return 0 if not self.facts else 1 + sum(line["event"] == "resume" for line in self._lines)

    def open(self, start: dict[str, Any], config: dict[str, Any]) -> None:
        """Create the folder."""
        with atomic.folder(self.folder) as partial:
            for name in ("students", "checkpoints"):
                (partial / name).mkdir()
            atomic.write(partial / "config.json", (json.dumps(config, indent=1) + "\n").encode())
            content = {**start, "config": config, "place": place_of(partial)}
            Ledger(partial / "ledger.jsonl").write("start", **content, clock=self._clock())
        self._lock()
        self._take()

    def reopen(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Return the first line of an interrupted run's ledger; ValueError if it cannot be resumed.

        `facts` are recorded at the resume.
        """
        path = self.folder / "ledger.jsonl"
        if not regular(path).exists():
            raise ValueError(f"{self.folder} is not a run: there is no ledger to resume from")
        self._lock()
        if mend(path):
            self._show.note("the ledger's last line was half-written and was removed")
        aside = self._set_aside(path)
        self._take()
        lines, self.facts = self._lines, facts | ({"set_aside": aside} if aside else {})
        found = faults(lines)
        if found:
            raise ValueError(f"the ledger of {self.folder} is invalid, so the run cannot be resumed: {found[0]}")
        self._whole()
        if self.ended and not (self.folder / "checkpoints").exists():
            raise ValueError(f"the run in {self.folder} is complete: there is nothing to resume")
        self._placed()
        return lines[0]

    def _set_aside(self, path: Path) -> int:
        """Move the ledger's lines from the first damaged one on to a file of their own, and return their number.

        Move none if an evaluation that precedes the newest checkpoint is among them: the run cannot be resumed then.
        What an intact line among them states stays spent.
        """
        data = path.read_bytes() if path.stat().st_size <= LIMIT else b""
        lines, rest = chained(data)
        points = sum(line.get("event") == "point" for line in lines)
        if not lines or not rest or self._shown() > points:
            return 0
        with (self.folder / ASIDE).open("ab") as file:
            file.write(rest)
            file.flush()
            os.fsync(file.fileno())
        os.truncate(path, len(data) - len(rest))
        count = rest.count(b"\n")
        self._lost = next((line for line in reversed(sealed(rest)) if "spent" in line), {})
        told = f"line {len(lines) + 1} of the ledger is damaged: the lines from there on were moved to {ASIDE}"
        self._show.note(f"{told}, and the run continues from its last checkpoint", "bold")
        return count

    def _shown(self) -> float:
        """Return how many students had been shown at the newest intact checkpoint; infinity if there is none."""
        folder = self.folder / "checkpoints"
        for number in reversed(checkpoint.numbers(folder)):
            with suppress(checkpoint.DamagedCheckpoint):
                return checkpoint.shown(folder, number)
        return math.inf

    def _placed(self) -> None:
        """Record where the run is resumed, and warn if the folder has changed: it may be a copy."""
        here = place_of(self.folder)
        before = next((line["place"] for line in reversed(self._lines) if "place" in line), here)
        self.facts = {**self.facts, "place": here, **({"copied": True} if before != here else {})}
        if before != here:
            told = "was copied or moved since the run last worked in it, which its record will state"
            self._show.note(f"{self.folder} {told}: if both copies are resumed, only one can be submitted", "bold")

    def _whole(self) -> None:
        """Repair files that the ledger can restore; ValueError names a damaged file that it cannot."""
        config = self._lines[0].get("config")
        try:
            told = json.loads(regular(self.folder / "config.json").read_bytes())
        except (OSError, ValueError):
            told = None
        if isinstance(config, dict) and told != config:
            atomic.write(self.folder / "config.json", (json.dumps(config, indent=1) + "\n").encode())
            self._show.note("config.json was missing or damaged, and was restored from the ledger", "bold")
        elif not isinstance(told, dict):
            raise ValueError(
                f"{self.folder / 'config.json'} is missing or damaged: put back the one the run began with"
            )
        if gone := damaged(self.folder, self._lines):
            raise ValueError(f"{gone[0]} is missing or damaged: put it back, or start the run again in another folder")
        if any(line.get("event") in ("point", "end") for line in self._lines):
            try:
                told = records.mismatches(self._lines, records.load(self.folder / "record.json"))
            except ValueError:
                told = ["it is missing or damaged"]
            if told:
                self._show.note("record.json did not match the ledger, and was restored from it", "bold")
                self.record()

    @property
    def ended(self) -> bool:
        """Whether everything is spent and evaluated."""
        return bool(self._lines) and self._lines[-1]["event"] == "end"

    def _lock(self) -> None:
        """Lock the run for this process."""
        self._held = FileLock(self.folder / ".lock")
        try:
            self._held.acquire(timeout=0)
        except Timeout:
            raise ValueError(
                f"the run in {self.folder} is running in another process: wait for it or stop it"
            ) from None

    def _take(self) -> None:
        """Read the ledger and append to it from here."""
        path = self.folder / "ledger.jsonl"
        self._lines = read(path)
        self.ledger = Ledger(path, self._lines[-1].get("hash", START) if self._lines else START)

    def _clock(self) -> float:
        return round(time.perf_counter() - self._began, 3)

    def _say(self, event: str, **content) -> None:
        """Write a line. If the device was faster than its measured peak, the machine was busy then: measure it
        again."""
        peak = max([0.0, *(line.get("peak_flops") or 0.0 for line in self._lines)])
        before = next((line["spent"] for line in reversed(self._lines) if "spent" in line), {})
        device, flops = (content["spent"].get(unit, 0.0) - before.get(unit, 0.0) for unit in ("device", "flops"))
        if peak and flops > beyond(peak, device) / FASTER and event != "resume":
            machine.peak_flops.cache_clear()
            content["peak_flops"] = max(peak, machine.peak_flops())
        self.ledger.write(event, **content, clock=self._clock())
        self._lines.append({"event": event, **content, "hash": self.ledger.digest})
        self._ledger_at = time.monotonic()

    # Called by the loop.

    def load(self, state: TrainingState, go_online: Callable[[Learner], Learner]) -> TrainingState:
        """Load the newest usable checkpoint; what is spent is never less than in the ledger."""
        folder = self.folder / "checkpoints"
        for number in reversed(checkpoint.numbers(folder)):
            try:
                state, self._parts = checkpoint.load(folder, number, state, go_online)
                break
            except checkpoint.DamagedCheckpoint as fault:
                self._show.note(f"{fault}: the checkpoint before it is used", "bold")
        else:
            if any(line["event"] in ("progress", "point") for line in self._lines):
                raise NoCheckpoint(f"no checkpoint of {self.folder} can be used: start the run again in another folder")
        if not self.facts:
            self._metrics.open(self._lines[0])
            return state
        for last in (self._lines[-1], self._lost):
            for mine, theirs in ((state.spent, last.get("spent", {})), (state.phases, last.get("phases", {}))):
                mine |= {unit: max(mine.get(unit, 0.0), amount) for unit, amount in theirs.items()}
        self._say("resume", spent=dict(state.spent), phases=dict(state.phases), **self.facts)
        self._metrics.open(self._lines[0], (state.spent["steps"], state.spent["updates"]))
        return state

    def due(self) -> bool:
        return time.monotonic() - self._ledger_at > LEDGER_SECONDS

    def save(self, state: TrainingState, force: bool = True) -> None:
        now = time.monotonic()
        if force or now - self._saved_at > self._pause:
            folder = self.folder / "checkpoints"
            self._parts = checkpoint.save(folder, state, self._parts, self._replay, self._keep_all)
            self._saved_at = time.monotonic()
            self._pause = (self._saved_at - now) / SHARE
        first = max(state.members, key=lambda m: m.score)
        self._say(
            "progress",
            phase="online" if state.online else "offline",
            spent=dict(state.spent),
            phases=dict(state.phases),
            losses=state.losses,
            parameters=digest(flatten(first.learner.params)),
            key=state.count,
            **({"weaned": first.weaning} if first.weaning else {}),
        )

    def weaned(self, told: dict[str, Any]) -> None:
        self._show.note(weaning.sentence(told), "bold")

    def stop(self) -> bool:
        return self._stop.is_set()

    def pause(self) -> None:
        """Check for signals during evaluations, which can stop at any step, since a resumed run repeats them."""
        if self._stop.is_set():
            raise Interrupted

    def listening(self) -> AbstractContextManager[None]:
        return listening(self._stop, self._show)

    def watch(self, status: Status) -> None:
        """Show the status, and log it if a line is due."""
        self._show.status(status)
        self._metrics.watch(status)

    # Results of the run.

    def shown(self, snapshot: Snapshot) -> bool:
        """Return whether this snapshot's student was evaluated before an interruption."""
        return not snapshot.last and snapshot.due in [line["due"] for line in self._lines if line["event"] == "point"]

    def point(self, snapshot: Snapshot, judged: Evaluation) -> RunRecord:
        """Save the student of a snapshot with its evaluation, and return the record so far."""
        arrays = flatten(snapshot.params)
        name = f"students/{int(snapshot.spent['steps']):010d}.safetensors"
        weights.save(self.folder / name, arrays, {"format": "reincarnate"})
        weights.save(self.folder / OPTIMIZER, moments.named(snapshot.opt_state))  # of the latest student only
        self._say(
            "end" if snapshot.last else "point",
            spent=snapshot.spent,
            phases=snapshot.phases,
            parameters=digest(arrays),
            file=name,
            due=snapshot.due,
            planned=snapshot.planned,
            evaluation=judged.model_dump(mode="json"),
            **({"weaned": snapshot.weaning} if snapshot.weaning else {}),
        )
        self._metrics.point(snapshot.spent, judged, self._lines[0])
        self._show.point(snapshot.spent, float(np.mean(judged.returns)))
        return self.record()

    def record(self) -> RunRecord:
        """Write the record, which is derived from the ledger."""
        record = records.of_ledger(self._lines)
        records.save(record, self.folder / "record.json")
        return record

    def release(self) -> None:
        """Unlock the run for other processes."""
        self._metrics.close()
        if self._held is not None:
            self._held.release()
            if self.ended and not (self.folder / "checkpoints").exists():
                (self.folder / ".lock").unlink(missing_ok=True)

    def close(self) -> None:
        """Remove files that only an interrupted run needs."""
        gone = self.folder / ".checkpoints.partial"
        (self.folder / "checkpoints").rename(gone)  # atomic: without this folder the run is complete
        shutil.rmtree(gone, ignore_errors=True)
