"""The files of a run: its ledger, metrics, students and configuration."""

import json
import time
from pathlib import Path

import numpy as np

from ..agents.teacher import digest, flatten
from ..datasets import atomic, weights
from ..leaderboard.ledger import Ledger
from ..leaderboard.record import Evaluation, Point
from .display import Display
from .train import Snapshot, Status

LEDGER_SECONDS = 60.0
METRIC_SECONDS = 5.0


class Journal:
    """The files of a run. Nothing is on disk before `open`."""

    def __init__(self, folder: Path, show: Display):
        self._folder, self._show = folder, show
        self._ledger_at = self._metric_at = time.monotonic()

    def open(self, start: dict) -> None:
        (self._folder / "students").mkdir(parents=True)
        self.ledger = Ledger(self._folder / "ledger.jsonl")
        self.ledger.write("start", **start)

    def config(self, content: dict) -> None:
        atomic.write(self._folder / "config.json", (json.dumps(content, indent=1) + "\n").encode())

    def watch(self, status: Status) -> None:
        """Shows the status, and writes it down when it is time to."""
        self._show.status(status)
        now = time.monotonic()
        if now - self._ledger_at > LEDGER_SECONDS:
            self._ledger_at = now
            self.ledger.write("progress", phase=status.phase, spent=status.spent, losses=status.losses)
        if now - self._metric_at > METRIC_SECONDS:
            self._metric_at = now
            returns = list(status.returns)
            line = {"phase": status.phase, **status.spent, "losses": status.losses}
            line["training_return"] = float(np.mean(returns)) if returns else None
            with (self._folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")

    def point(self, snapshot: Snapshot, judged: Evaluation) -> Point:
        arrays = flatten(snapshot.params)
        parameters = digest(arrays)
        name = f"students/{int(snapshot.spent['steps']):010d}.safetensors"
        weights.save(self._folder / name, arrays, {"format": "reincarnate"})
        self.ledger.write(
            "end" if snapshot.last else "point",
            spent=snapshot.spent,
            parameters=parameters,
            returns=list(judged.returns),
        )
        self._ledger_at = time.monotonic()
        self._show.point(snapshot.spent, float(np.mean(judged.returns)))
        return Point(spent=snapshot.spent, evaluation=judged, parameters=parameters, file=name)
