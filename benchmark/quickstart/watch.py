"""The display during a quickstart: both curves in the terminal, or a line for each evaluation."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...datasets.words import several
from ...leaderboard import ledger
from ...leaderboard.units import clock
from ..display import Display
from ..runs import metrics
from ..sweep.grid import Cell
from .chart import Line, chart

STYLES = {"reincarnated": "bold blue", "from scratch": "bold red"}
FIRST = 0.04  # completed share before which no remaining time is shown
COMPILING = "compiling its programs"


class StudentProgress(NamedTuple):
    """The progress of one student."""

    shown: list[tuple[float, float]]  # FLOPs and mean return of its evaluations
    levels: dict[str, float]  # mean returns of random play and the teacher, once measured
    share: float  # spent share of its budget
    doing: str


class Watch:
    """Follow two runs through their files; called about once per second."""

    def __init__(self, folder: Path, students: Mapping[str, Cell], show: Display):
        self._runs = {name: folder / "cells" / cell.name for name, cell in students.items()}
        self._task = next(iter(students.values())).task
        self._show, self._began = show, time.monotonic()
        self._told: dict[str, int] = {}
        self._measured = False
        self._courses: dict[str, StudentProgress] = {}

    def __call__(self) -> None:
        """Read the runs, and print what is new."""
        for name, run in self._runs.items():
            lines = _lines(run)
            try:
                self._courses[name] = course(lines, metrics.lines(run / "metrics.jsonl"))
                self._tell(name, lines)
            except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):  # the sweep makes it again
                self._courses[name] = StudentProgress([], {}, 0.0, "its ledger is damaged")

    def _tell(self, name: str, lines: list[dict[str, Any]]) -> None:
        if lines and not self._measured:
            self._measured = True
            played = {who: lines[0][who]["returns"] for who in ("random", "teacher")}
            words = [f"{who} {np.mean(each):.1f} ({several(len(each), 'episode')})" for who, each in played.items()]
            self._show.note(f"mean returns: {', '.join(words)}")
        found = [line for line in lines if line.get("event") in ("point", "end")]
        for line in found[self._told.get(name, 0) :]:
            self._show.point(line["spent"], float(np.mean(line["evaluation"]["returns"])), name)
        self._told[name] = len(found)

    def picture(self) -> Group:
        """Return the live view: the curves so far, each student's activity, a bar and the remaining time."""
        courses = self._courses
        shares = [one.share for one in courses.values()]
        whole = sum(shares) / len(shares) if shares else 0.0
        took = time.monotonic() - self._began
        left = f"about {clock(took * (1 - whole) / whole)} left" if whole > FIRST else ""
        top = Table.grid(padding=(0, 1))
        top.add_row(Text("both students", "bold"), ProgressBar(1.0, whole, 28), f"{whole:.0%}", left)
        parts: list[Any] = [Text(f"{self._task}: mean return against cost", "bold")]
        levels = next((one.levels for one in courses.values() if one.levels), {})
        if levels:
            lines = [Line(name, STYLES[name], one.shown) for name, one in courses.items()]
            parts += chart(lines, levels)
        parts += [Text(f"{name}: {one.doing}", STYLES[name]) for name, one in courses.items()]
        return Group(*parts, top)


def course(lines: list[dict[str, Any]], told: list[dict[str, Any]]) -> StudentProgress:
    """Return a run's progress, from its ledger and metrics."""
    if not lines:
        return StudentProgress([], {}, 0.0, "measuring random play and the teacher")
    levels = {who: float(np.mean(lines[0][who]["returns"])) for who in ("teacher", "random")}
    found = [line for line in lines if line.get("event") in ("point", "end")]
    shown = [(line["spent"]["flops"], float(np.mean(line["evaluation"]["returns"]))) for line in found]
    limits = lines[0]["budget"]
    spent = [line.get("spent", {}) for line in lines[-1:]] + told[-1:]
    share = max([each.get(unit, 0.0) / limit for each in spent for unit, limit in limits.items()], default=0.0)
    if found and found[-1]["event"] == "end":
        return StudentProgress(shown, levels, 1.0, f"done, {shown[-1][1]:.1f}")
    phases = {"offline": "learning from the teacher's log", "online": "learning in the game"}
    phase = told[-1].get("phase", "") if told else ""
    words = phases.get(phase, "being evaluated" if told else COMPILING)
    if told and phase in phases:
        words += f", {told[-1]['updates']:,.0f} updates, {told[-1]['steps']:,.0f} steps"
    return StudentProgress(shown, levels, min(share, 1.0), words)


def _lines(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's ledger so far."""
    try:
        data = (run / "ledger.jsonl").read_bytes()
        return ledger.parse(data[: data.rfind(b"\n") + 1], str(run)) if b"\n" in data else []
    except (OSError, ValueError):
        return []
