"""The request for a run: enough to repeat it, to resume it, and to describe it."""

import math
import operator
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_origin, get_type_hints

import numpy as np

from ...leaderboard.units import HELP
from ..tasks.environment import MOST_THREADS
from ..training import budget as budgets
from ..training.budget import Budget, amount_of


class Help(NamedTuple):
    """How the command line explains a field, and the name of its option if that differs."""

    says: str
    option: str = ""


@dataclass(frozen=True)
class RunRequest:
    """The request for a run as plain values: all of its options, in the order of a ledger's first line.

    Command-line options, cells of a sweep, retraining and resuming are derived from it, and the record contains it. A
    list may be given as text, as on the command line. Raises ValueError in one sentence if it is invalid.
    """

    task: Annotated[str, Help("atari/<Game>, minatar/<game>, gym/<id>; with --at one of `tasks`.")]
    method: Annotated[str, Help("See `reincarnate methods`, or package.module:factory.")] = "qdagger"
    budget: Annotated[
        str,
        Help(f"Limits: {HELP}: frames=400k,flops=2e14,device=2h. The first one exhausted ends the run."),
    ] = ""
    seed: Annotated[int, Help("Seed of the whole run.")] = 0
    settings: Annotated[dict[str, Any], Help("Keyword of the method: NAME=VALUE; may be repeated.", "--set")] = field(
        default_factory=dict
    )
    teacher: Annotated[
        str,
        Help("user/name[@commit], a folder, a file, or a Python function module:function; default: the task's own."),
    ] = ""
    teacher_log: Annotated[
        tuple[str, ...],
        Help("The same, with options: REF:checkpoints=40-49:returns=0.5-1:share=0.3; may be repeated."),
    ] = ()
    hub: Annotated[str, Help("Hub on which references are looked up.")] = "bundled"
    points: Annotated[
        tuple[float, ...],
        Help("When to evaluate the student, as shares or numbers of steps: 0,0.5,1,100k-steps."),
    ] = ()
    episodes: Annotated[int, Help("Whole episodes per evaluation; 0: the task's default.")] = 0
    environments: Annotated[int, Help("Environments stepped together in training; 0: the method's default.")] = 0
    threads: Annotated[int, Help("Threads of the environments; 0: one per core.")] = 0
    log: Annotated[bool, Help("Also write the student's own experience, as RLDS.")] = False
    replay: Annotated[bool, Help("Keep the replay in checkpoints; else --resume starts with an empty one.")] = True
    metrics: Annotated[
        tuple[str, ...], Help("More places for metrics, comma-separated: tensorboard, wandb, trackio.")
    ] = ()
    preset: Annotated[
        str, Help("Named settings, see `reincarnate presets`; default: those for this task and length of run.")
    ] = ""
    fused: Annotated[
        bool,
        Help(
            "Act, step, replay and learn in one program on the device; for tasks made of arrays, such as minatar/...."
        ),
    ] = False

    def __post_init__(self) -> None:
        """Convert every value to a plain one: numbers of numpy, paths, a `Budget`, and text in place of lists."""
        given = [self.teacher_log] if isinstance(self.teacher_log, str | os.PathLike) else self.teacher_log
        logs = tuple(os.fspath(one) for one in given or () if one)
        if twice := next((one for one in logs if logs.count(one) > 1), ""):  # its transitions would be paid for twice
            raise ValueError(f"the log {twice} is given twice: name each log once")
        points = points_of(self.points) if isinstance(self.points, str) else self.points
        metrics = self.metrics.split(",") if isinstance(self.metrics, str) else self.metrics
        values = {
            "budget": budgets.written(self.budget),
            "seed": whole("the seed", self.seed),
            "settings": plain(self.settings or {}),
            "teacher": os.fspath(self.teacher),
            "teacher_log": logs,
            "points": tuple(float(point) for point in points),
            "episodes": whole("the number of episodes", self.episodes),
            "environments": whole("the number of environments", self.environments),
            "threads": whole("the number of threads", self.threads),
            "metrics": tuple(dict.fromkeys(name.strip() for name in metrics if name.strip())),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        budgets.parse(self.budget)
        if self.episodes < 0:
            raise ValueError(
                f"{self.episodes} episodes cannot be played: give a positive number, or 0 for the task's default"
            )
        if not 0 <= self.threads <= MOST_THREADS:
            raise ValueError(f"{self.threads} threads cannot play: give 1 to {MOST_THREADS}, or 0 for one per core")
        if self.environments < 0 or not all(point >= 0.0 for point in self.points):
            raise ValueError(
                "a run needs at least one environment, and points that are shares from 0 to 1 or agent steps"
            )

    @cached_property
    def limits(self) -> Budget:
        """The budget as numbers; ValueError if it cannot be parsed."""
        return budgets.parse(self.budget)

    def to_json(self) -> dict[str, Any]:
        """Return the request as in a ledger's first line."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "RunRequest":
        """Read a request from a ledger's first line, possibly untrusted; ValueError if its fields are invalid."""
        kinds = {name: get_origin(kind) or kind for name, kind in get_type_hints(cls).items()}
        if odd := sorted(map(str, set(told) - {one.name for one in fields(cls)})):
            raise ValueError(f"the request has a field {odd[0][:40]!r}, which is unknown: leave it out")
        for name, value in told.items():
            kind = list if kinds[name] is tuple else kinds[name]
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise ValueError(f"the request's {name} is not of type {kind.__name__}")
        inner = [*told.get("teacher_log", ()), *told.get("metrics", ())]
        numbers = told.get("points", ())
        if not all(isinstance(text, str) for text in inner) or not all(type(x) in (int, float) for x in numbers):
            raise ValueError("the request's logs, metrics or points have the wrong type")
        try:
            return cls(**told)
        except TypeError as error:
            raise ValueError(f"the request is incomplete: {error}") from None

    def command(self) -> str:
        """Return the command that makes the same run; the number of threads does not matter."""
        words = ["reincarnate", "run", "--task", self.task, "--method", self.method, "--budget", self.budget]
        words += ["--seed", str(self.seed)]
        words += [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        words += ["--preset", self.preset] if self.preset else []
        words += ["--teacher", self.teacher] if self.teacher else []
        words += [word for text in self.teacher_log for word in ("--teacher-log", text)]
        words += ["--hub", self.hub] if self.hub != "bundled" else []
        words += ["--points", ",".join(_written(point) for point in self.points)]
        words += ["--episodes", str(self.episodes)] if self.episodes else []
        words += ["--fused"] if self.fused else []
        words += ["--log"] if self.log else []
        return shlex.join([*words, "--environments", str(self.environments)])


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as text and numbers; a function becomes its importable module:name.

    Numbers of numpy become Python's. ValueError for values that a record cannot hold.
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
    """Return an integer, also from numpy's; ValueError for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r:.40}: give a whole number") from None


def placed(reference: str) -> str:
    """Return the absolute path of a folder or file, since a run may be resumed elsewhere; other references unchanged.

    A suffix, `#FILE` or a log's `:checkpoints=...`, is kept.
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
    """Parse `0,0.5,1,100k-steps` -> shares of the planned agent steps, and numbers of agent steps; ValueError
    otherwise."""
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
    """Return the folder of a run, with a default."""
    return Path(out) if out else Path("runs") / f"{task.replace('/', '-')}-{method.split(':')[-1]}-{seed}"


def _written(point: float) -> str:
    return f"{point:.0f}-steps" if point > 1.0 else str(float(point))
