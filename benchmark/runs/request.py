"""What a run was asked for: enough to make it again, to go on with it, and to say so."""

import math
import operator
import os
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

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
    environments: int = 0
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
    """Return settings as text and numbers: a function becomes the module:name that finds it again.

    Numbers of numpy become Python's. ValueError for what no record can hold.
    """
    return {key: _plain(key, value) for key, value in settings.items()}


def _plain(key: str, value: Any) -> Any:
    if callable(value):
        return f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, dict):
        return {str(name): _plain(f"{key}.{name}", item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(key, item) for item in value]
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(f"the setting {key} is a {type(value).__name__}: give a number or a text")
    return value


def whole(name: str, value: Any) -> int:
    """Return a whole number, also one of numpy's; ValueError for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r:.40}: give a whole number") from None


def placed(reference: str) -> str:
    """Return a folder or a file by its whole path, since a run may be resumed elsewhere; other references as they are.

    What stands behind it, `#FILE` or a log's `:checkpoints=...`, stays.
    """
    if not reference:
        return reference
    for mark in ("", "#", ":"):
        head, sign, rest = reference.partition(mark) if mark else (reference, "", "")
        path = os.path.expanduser(head)
        if os.path.exists(path):
            return f"{os.path.abspath(path)}{sign}{rest}"
    return reference


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
