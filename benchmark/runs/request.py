"""What a run was asked for: enough to make it again, to go on with it, and to say so."""

import math
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from ..training.budget import amount_of


class Request(NamedTuple):
    """The arguments of `run`, as plain values; the command of that name has the same."""

    task: str
    method: str
    budget: str
    seed: int = 0
    settings: dict[str, Any] = {}
    teacher: str = ""
    teacher_log: tuple[str, ...] = ()
    hub: str = "bundled"
    points: tuple[float, ...] = ()
    episodes: int = 0
    environments: int = 8
    threads: int = 0
    log: bool = False
    replay: bool = True
    metrics: tuple[str, ...] = ()
    preset: str = ""

    def command(self) -> str:
        """What makes the same run again; how many threads play does not matter."""
        words = ["reincarnate", "run", "--task", self.task, "--method", self.method, "--budget", self.budget]
        words += ["--seed", str(self.seed)]
        words += [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        words += ["--preset", self.preset] if self.preset else []
        words += ["--teacher", self.teacher] if self.teacher else []
        words += [word for text in self.teacher_log for word in ("--teacher-log", text)]
        words += ["--hub", self.hub] if self.hub != "bundled" else []
        words += ["--points", ",".join(_written(point) for point in self.points)]
        words += ["--episodes", str(self.episodes)] if self.episodes else []
        words += ["--log"] if self.log else []
        return shlex.join([*words, "--environments", str(self.environments)])


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as text and numbers: a function becomes the module:name that finds it again."""
    return {
        key: f"{value.__module__}:{value.__qualname__}" if callable(value) else value for key, value in settings.items()
    }


def points_of(text: str) -> tuple[float, ...]:
    """`0,0.5,1,100k-steps` -> shares of the planned agent steps, and numbers of agent steps; ValueError otherwise."""
    found = []
    for part in text.split(",") if text else []:
        match = re.fullmatch(r"(.+)-steps", part.strip())
        try:
            point = amount_of(match[1]) if match else float(part)
        except ValueError:
            point = math.nan
        if not (point > 1.0 if match else 0.0 <= point <= 1.0):
            raise ValueError(f"--points {text} cannot be read: write shares from 0 to 1, or steps: 0,0.5,1,100k-steps")
        found.append(point)
    return tuple(found)


def folder_of(task: str, method: str, seed: int, out: str | Path = "") -> Path:
    """Where a run goes unless it is told otherwise."""
    return Path(out) if out else Path("runs") / f"{task.replace('/', '-')}-{method.split(':')[-1]}-{seed}"


def _written(point: float) -> str:
    return f"{point:.0f}-steps" if point > 1.0 else str(float(point))
