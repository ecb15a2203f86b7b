"""A sweep: every task with every method and seed, in one folder that any number of attempts can fill.

The state of a sweep is only read from the files of its runs, so the two cannot disagree: `cells/NAME` is a run's
folder, `logs/NAME.log` its output, `failures/NAME.json` why it ended without a result, and the process that works on it
holds `cells/.NAME.lock`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from ...datasets import atomic
from ...datasets.folders import regular
from ...leaderboard import ledger
from ..runs.request import RunRequest
from ..tasks import environments
from ..tasks.suites import filled, tasks_of
from ..tasks.task import find
from ..training import budget as budgets
from . import damage

SCHEMA = 1
TRIES = 2  # a failed cell is retried once
FREE = ("threads", "metrics")  # options that may change when a sweep is resumed
WORDS = ("teacher", "teacher_log")  # options in which {task} and {game} are replaced


class Sweep(NamedTuple):
    """The request for a sweep."""

    suite: str
    tasks: tuple[str, ...]
    methods: tuple[str, ...]  # names, with settings such as qdagger:temperature=0.2
    seeds: tuple[int, ...]
    options: dict[str, Any]  # arguments of `run` for all cells; `pinned` has those of single tasks


class Cell(NamedTuple):
    """One run of a sweep."""

    task: str
    method: str  # as in Sweep.methods
    seed: int

    @property
    def name(self) -> str:
        """The name of the cell's folder."""
        return re.sub(r"[^A-Za-z0-9_.=~-]+", "-", f"{self.task}~{self.method}~{self.seed}")


class CellState(NamedTuple):
    """The state of a cell."""

    word: str  # waiting, running, stopped, failed or done
    share: float  # of its budget
    reason: str = ""  # of the latest failure


def of(suite: str, methods: Sequence[str], seeds: Sequence[int], options: Mapping[str, Any]) -> Sweep:
    """Return the sweep for these arguments; ValueError if a task, method, setting or budget is invalid."""
    from ..training.preset_choice import settle

    asked = Sweep(suite, tasks_of(suite), tuple(methods), tuple(seeds), dict(options))
    if not methods or not seeds:
        raise ValueError("a sweep needs methods and seeds: give --methods dqn,qdagger and --seeds 0..4")
    for seed in asked.seeds:
        environments.seeds("train", seed, 1)  # refuses an invalid seed before anything is written
    budgets.parse(asked.options.get("budget", ""))
    for text in methods:
        name, own = method_of(text)
        settings = {**asked.options.get("settings", {}), **own}
        settle(find(asked.tasks[0]), name, asked.options["budget"], settings, asked.options.get("preset") or "paper")
    names = [cell.name for cell in cells(asked)]
    if len(set(names)) < len(names):
        raise ValueError("two cells of the sweep are the same: give each method and seed once")
    return asked


def method_of(text: str) -> tuple[str, dict[str, str]]:
    """Parse `qdagger:base=rainbow:temperature=0.2` -> the method's name and its settings; package.module:factory works
    too.

    A part without `=` belongs to the name, so network=impala:width=2 cannot be written this way.
    """
    parts = text.strip().split(":")
    name = ":".join(part for part in parts if "=" not in part)
    own = dict(part.split("=", 1) for part in parts if "=" in part)
    if not name or not all(key and value for key, value in own.items()):
        raise ValueError(f"{text!r} is not a method: write a name, with settings after it: qdagger:temperature=0.2")
    return name, own


def seeds_of(text: str) -> tuple[int, ...]:
    """Parse `0..4`, `0,3,7` or a combination -> the seeds; ValueError otherwise."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,5})(?:\.\.(\d{1,5}))?\s*", part)
        if not match:
            raise ValueError(f"--seeds {text} cannot be read: write 0..4, or 0,3,7")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(found)


def cells(sweep: Sweep) -> list[Cell]:
    """Return all cells, ordered by seed first, so that a partial sweep can be compared."""
    return [Cell(task, method, seed) for seed in sweep.seeds for task in sweep.tasks for method in sweep.methods]


def jobs(todo: Sequence[Cell], together: bool) -> list[str]:
    """Return the names of cells to work on; with `together`, cells that differ only in the seed form one job, joined by
    spaces."""
    if not together:
        return [cell.name for cell in todo]
    kinds = dict.fromkeys(cell[:2] for cell in todo)
    return [" ".join(cell.name for cell in todo if cell[:2] == kind) for kind in kinds]


def request(sweep: Sweep, cell: Cell) -> RunRequest:
    """Return the request for a cell's run; ValueError if it is invalid."""
    name, own = method_of(cell.method)
    options = {key: value for key, value in sweep.options.items() if key not in ("settings", "network", "pinned")}
    options |= sweep.options.get("pinned", {}).get(cell.task, {})
    for key in WORDS:
        if key in options:
            options[key] = filled(options[key], cell.task)
    settings = {**sweep.options.get("settings", {}), **own}
    settings |= {"network": sweep.options["network"]} if sweep.options.get("network") else {}
    return RunRequest(**{**options, "task": cell.task, "method": name, "seed": cell.seed, "settings": settings})


def begin(folder: Path, asked: Sweep) -> Sweep:
    """Save a sweep, or extend an existing one by tasks, methods and seeds.

    ValueError if the existing sweep has other options, since the runs would not be comparable.
    """
    path = regular(folder / "sweep.json")
    if path.exists():
        before = load(folder)
        if odd := sorted(
            key
            for key in {*before.options, *asked.options}
            if before.options.get(key) != asked.options.get(key) and key not in FREE
        ):
            raise ValueError(f"{folder} has a sweep with a different {', '.join(odd)}: give another folder with --out")
        both = [dict.fromkeys((*old, *new)) for old, new in zip(before[1:4], asked[1:4], strict=True)]
        asked = before._replace(tasks=tuple(both[0]), methods=tuple(both[1]), seeds=tuple(both[2]))
    atomic.write(path, (json.dumps({"schema": SCHEMA, **asked._asdict()}, indent=1) + "\n").encode())
    (folder / "cells").mkdir(exist_ok=True)
    return asked


def load(folder: Path) -> Sweep:
    """Load the sweep in a folder; ValueError if there is none."""
    path = regular(folder / "sweep.json")
    if not path.exists():
        raise ValueError(f"there is no sweep in {folder}: start one with `reincarnate sweep SUITE --out {folder}`")
    try:
        data = json.loads(path.read_text())
        if data.pop("schema") != SCHEMA:
            raise KeyError
        lists = {key: tuple(data.pop(key)) for key in ("tasks", "methods", "seeds")}
        return Sweep(str(data["suite"]), lists["tasks"], lists["methods"], lists["seeds"], dict(data["options"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} is not a sweep of this version: give another folder with --out") from None


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """Lock the sweep for this process; ValueError if another process is driving it."""
    ours = any((folder / name).exists() for name in ("sweep.json", ".lock"))
    if folder.exists() and not ours and any(folder.iterdir()):
        raise ValueError(f"{folder} exists and is not a sweep: give another folder with --out")
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    held = FileLock(folder / ".lock")
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"the sweep in {folder} is running in another process: see `reincarnate sweep status {folder}`"
        ) from None
    try:
        yield
    finally:
        held.release()
        if not (folder / "sweep.json").exists():  # no sweep was saved
            (folder / ".lock").unlink(missing_ok=True)
            for path in made:
                path.rmdir()


def lock(folder: Path, name: str) -> FileLock:
    """Return the lock for working on a cell."""
    return FileLock(folder / "cells" / f".{name}.lock")


def busy(folder: Path, name: str) -> bool:
    """Return whether a process is working on the cell."""
    held = lock(folder, name)
    if not Path(held.lock_file).exists():
        return False
    try:
        held.acquire(timeout=0)
    except Timeout:
        return True
    held.release()
    return False


def state(folder: Path, cell: Cell) -> CellState:
    """Return the state of a cell, from its files."""
    run = folder / "cells" / cell.name
    lines = _lines(run / "ledger.jsonl")
    if ended(run) and damage.is_whole(run):
        return CellState("done", 1.0)
    share, reasons = _share(lines), failures(folder, cell.name)
    if busy(folder, cell.name):
        return CellState("running", share)
    if len(reasons) >= TRIES:
        return CellState("failed", share, reasons[-1])
    return CellState("stopped" if lines else "waiting", share, reasons[-1] if reasons else "")


def ended(run: Path) -> bool:
    """Return whether a run's ledger says that its budget is spent."""
    lines = _lines(run / "ledger.jsonl")
    return bool(lines) and lines[-1].get("event") == "end"


def has_ledger(run: Path) -> bool:
    """Return whether a run's ledger can be read at its beginning and at its end."""
    return bool(_lines(run / "ledger.jsonl"))


def _lines(path: Path) -> list[dict]:
    """Return the first line of a ledger and the last complete one, without reading those between; none if one of the
    two is damaged."""
    try:
        with regular(path).open("rb") as file:
            first = file.readline()
            size = file.seek(0, 2)
            file.seek(max(size - ledger.LIMIT // 64, 0))
            last = [line for line in file.read().split(b"\n") if line.endswith(b"}")][-1]
        lines = ledger.parse(first, str(path)) + ledger.parse(last, str(path))
    except (OSError, ValueError, IndexError):
        return []
    amounts = [lines[0].get("budget", {}), lines[-1].get("spent", {}), *({"time": line.get("time")} for line in lines)]
    return lines if all(map(ledger.has_numbers, amounts)) else []


def _share(lines: list[dict]) -> float:
    """Return the spent share of a run's budget, for the limit that is closest."""
    if not lines:
        return 0.0
    spent, limits = lines[-1].get("spent", {}), lines[0].get("budget", {})
    return max([spent.get(unit, 0.0) / limit for unit, limit in limits.items() if limit], default=0.0)


def took(folder: Path, cell: Cell) -> float:
    """Return the wall-clock seconds from a cell's first ledger line to its last, including interruptions."""
    lines = _lines(folder / "cells" / cell.name / "ledger.jsonl")
    return lines[-1]["time"] - lines[0]["time"] if lines else 0.0


def spent(folder: Path, cell: Cell) -> dict[str, float]:
    """Return what a cell has spent so far, by unit."""
    lines = _lines(folder / "cells" / cell.name / "ledger.jsonl")
    return lines[-1].get("spent", {}) if lines else {}


def failures(folder: Path, name: str) -> list[str]:
    """Return the reasons of a cell's failures; `name` may be several, separated by spaces."""
    paths = [folder / "failures" / f"{one}.json" for one in name.split()]
    return [reason for path in paths for reason in _kept(path, list, "the failed cells are then tried again")]


def job_ids(path: Path) -> dict[str, str]:
    """Return the ids of the jobs that a file keeps by their names; empty if there is no file."""
    return _kept(path, dict, "jobs that are still at work are then started a second time")


def _kept(path: Path, kind: type, lost: str) -> Any:
    """Return a file's JSON, a list of texts or a map to them; empty if there is no file.

    ValueError if it is damaged; `lost` says what comes of removing it.
    """
    if not regular(path).exists():
        return kind()
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        found = None
    texts = found.values() if isinstance(found, dict) else found or ()
    if not isinstance(found, kind) or not all(isinstance(one, str) for one in texts):
        raise ValueError(f"{path} is damaged: remove it, and {lost}")
    return found


def fail(folder: Path, name: str, reason: str) -> None:
    """Record why a cell failed, or each of several that share a process."""
    for one in name.split():
        reasons = [*failures(folder, one), reason]
        atomic.write(folder / "failures" / f"{one}.json", (json.dumps(reasons, indent=1) + "\n").encode())


def forget(folder: Path) -> None:
    """Clear the failures, so that failed cells are tried again."""
    for path in (folder / "failures").glob("*.json"):
        path.unlink()
