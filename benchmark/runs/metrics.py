"""The metrics of a run: always written to metrics.jsonl, and to other trackers on request."""

import importlib.util
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets import atomic
from ...datasets.folders import regular
from ...leaderboard.record import Evaluation
from ...leaderboard.score import normalise
from ...leaderboard.units import NAMES
from ..training.observer import Status

SECONDS = 5.0  # maximum between two lines; they are more frequent at first
SHARE = 0.01  # of the elapsed time
NEEDS = {"tensorboard": "tensorboardX", "wandb": "wandb", "trackio": "trackio"}  # extra -> its package


def sinks_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the other trackers: tensorboard, wandb, trackio; ValueError if one is unknown or not installed."""
    for name in names:
        if name not in NEEDS:
            raise ValueError(f"metrics cannot go to {name!r}: name one or more of {', '.join(NEEDS)}")
        if importlib.util.find_spec(NEEDS[name]) is None:
            raise _missing(name)
    return names


def scalars(line: Mapping[str, Any]) -> tuple[float, dict[str, float]]:
    """Split a line of metrics.jsonl into its position on the axis and its numbers by name.

    The axis is gradient updates before the first step, and agent steps for evaluations and in the game.
    """
    phase = line["phase"]
    if phase == "evaluation":
        found = {name: line[name] for name in ("return", "standard_error", "score") if line.get(name) is not None}
    else:
        found = {f"loss/{name}": value for name, value in line["losses"].items()}
        found |= {f"spent/{unit}": line[unit] for unit in NAMES if unit in line}
        found |= {f"seconds/{name}": seconds for name, seconds in line["phases"].items()}
        names = ("training_return", "score", "best", "rate", "guidance", "weaned")
        found |= {name: line[name] for name in names if line.get(name) is not None}
    return line["updates" if phase == "offline" else "steps"], {f"{phase}/{name}": x for name, x in found.items()}


class Metrics:
    """Append to `metrics.jsonl` in a run's folder, and pass every line on to other trackers."""

    def __init__(self, folder: Path, sinks: Sequence[str] = ()):
        self._path, self._names = folder / "metrics.jsonl", tuple(sinks)
        self._sinks: list[tuple[Callable[[dict[str, Any]], None], Callable[[], Any]]] = []
        self._began = self._at = time.monotonic()
        self._last: Status | None = None

    def open(self, start: Mapping[str, Any], upto: tuple[float, float] | None = None) -> None:
        """Start; for a resumed run, first drop what came after `upto`, (steps, updates), since it is repeated."""
        regular(self._path)
        known = [line for line in lines(self._path) if upto and line["steps"] <= upto[0] and line["updates"] <= upto[1]]
        if upto and self._path.is_file():
            atomic.write(self._path, "".join(f"{json.dumps(line)}\n" for line in known).encode())
        folder = self._path.parent
        for name in self._names:
            self._sinks.append(_opened(name, folder, start, known))

    def watch(self, status: Status) -> None:
        """Write the status if a line is due."""
        self._last, now = status, time.monotonic()
        if now - self._at > min(SHARE * (now - self._began), SECONDS):
            self._training(status)

    def point(self, spent: Mapping[str, float], judged: Evaluation, start: Mapping[str, Any]) -> None:
        """Log the evaluation of a student, with its score if the run has a teacher to compare it with."""
        if self._last is not None:
            self._training(self._last)
        line = {"phase": "evaluation", **spent, "return": judged.mean, "standard_error": judged.standard_error}
        if start.get("teacher"):
            line["score"] = float(normalise(judged.mean, start["random"]["mean"], start["teacher"]["mean"]))
        self._write(line)

    def _training(self, status: Status) -> None:
        self._last, self._at = None, time.monotonic()
        line = {"phase": status.phase, **status.spent, "phases": status.phases, "losses": status.losses}
        returns = list(status.returns)
        self._write(line | {"training_return": float(np.mean(returns)) if returns else None, **status.extra})

    def _write(self, line: dict[str, Any]) -> None:
        line = {"time": round(time.time(), 3), **line}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for write, _ in self._sinks:
            write(line)

    def close(self) -> None:
        """Close the trackers, after everything is written."""
        for _, close in self._sinks:
            close()
        self._sinks.clear()


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics.jsonl without broken ones; empty if there is no file."""
    found = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and all(_is_number(line.get(unit)) for unit in ("steps", "updates")):
            found.append(line)
    return found


def _is_number(value) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _missing(name: str) -> ValueError:
    return ValueError(f"metrics cannot go to {name}: install it with `pip install 'reincarnate[{name}]'`")


def _opened(name: str, folder: Path, start: Mapping[str, Any], known: list[dict[str, Any]]):
    """Open a tracker: return a function that takes a line, and one that closes it."""
    if name == "tensorboard":
        return _tensorboard(folder, known)
    return _wandb(folder, start) if name == "wandb" else _trackio(folder, start)


def _tensorboard(folder: Path, known: list[dict[str, Any]]):
    """Write event files to the run's folder `tensorboard`; a resumed run rewrites the earlier ones."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise _missing("tensorboard") from None
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
    writer = SummaryWriter(str(folder / "tensorboard"), flush_secs=10)

    def write(line: dict[str, Any]) -> None:
        place, values = scalars(line)
        for name, value in values.items():
            writer.add_scalar(name, value, int(place), walltime=line.get("time"))

    for line in known:
        write(line)
    return write, writer.close


def _wandb(folder: Path, start: Mapping[str, Any]):
    """Start a run of Weights & Biases, configured by its own settings: WANDB_MODE=offline, WANDB_PROJECT, ..."""
    try:
        import wandb  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise _missing("wandb") from None
    try:
        run = wandb.init(
            project=None if wandb.setup().settings.project else "reincarnate",
            id=start["run"],
            name=folder.name,
            group=f"{start['task']} {start['method']}",
            dir=folder,
            resume="allow",
            config={key: start[key] for key in ("task", "method", "settings", "network", "seed", "budget", "command")},
            settings=wandb.Settings(console="off", silent=True),
        )
    except wandb.Error as error:
        what = " ".join(str(error).split())
        raise ValueError(
            f"Weights & Biases does not start ({what}): log in with `wandb login`, or set WANDB_MODE=offline"
        ) from None
    run.define_metric("offline/*", step_metric="updates")
    for name in ("online/*", "evaluation/*"):
        run.define_metric(name, step_metric="steps")

    def write(line: dict[str, Any]) -> None:
        run.log({**scalars(line)[1], "steps": line["steps"], "updates": line["updates"]})

    return write, run.finish


def _trackio(folder: Path, start: Mapping[str, Any]):
    """Start a run of Trackio, which stays on this machine unless TRACKIO_SPACE_ID or TRACKIO_SERVER_URL is set."""
    try:
        import trackio  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise _missing("trackio") from None
    with redirect_stdout(sys.stderr):  # it prints where it stores a run, and standard output is for results
        run = trackio.init(
            project=os.environ.get("TRACKIO_PROJECT") or "reincarnate",
            name=f"{folder.name}-{start['run']}",
            group=f"{start['task']} {start['method']}",
            config={key: start[key] for key in ("task", "method", "settings", "network", "seed", "budget", "command")},
            resume="allow",
            embed=False,
        )

    def write(line: dict[str, Any]) -> None:
        place, values = scalars(line)
        run.log({**values, "steps": line["steps"], "updates": line["updates"]}, step=int(place))

    def close() -> None:
        with redirect_stdout(sys.stderr):
            run.finish()

    return write, close
