"""Everything a run needs before its first act: its method with plain numbers, its teacher, its logs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ...agents import keywords
from ...agents.method import Method, Teacher
from ...agents.presets import absolute, units_of
from ...datasets.replay.mixture import Mixture
from ...datasets.replay.replay import Replay
from ...leaderboard.record import Parent
from ..display import Display
from ..prior import teacher_log
from ..prior.load import pull_logs, pull_teacher, texts
from ..prior.measure import measure
from ..tasks.task import Task, find
from ..training import rollout
from ..training.preset_choice import settle
from ..training.programs import Worker
from ..training.teacher_values import reads_log
from .request import RunRequest


class Prepared(NamedTuple):
    """A run whose method, teacher and logs are resolved."""

    request: RunRequest  # with the method's number of environments and the logs that it reads filled in
    task: Task
    preset: str
    settings: Mapping[str, Any]  # of the preset and the user; may be relative to the teacher, as 8gap
    measured: dict[str, float]  # sizes of the relative units
    plain: Mapping[str, Any]  # the settings as numbers
    method: Method
    guide: Teacher  # if there is no teacher, one that cannot be asked
    origin: Parent | None  # of the teacher
    logs: tuple[str, ...]  # references to the logs that the run reads
    logged: Replay | Mixture | None = None  # the logs, once read
    log_origins: tuple[Parent, ...] = ()

    @property
    def origins(self) -> list[Parent]:
        """All prior computation."""
        return [origin for origin in (self.origin, *self.log_origins) if origin]


class Ways(NamedTuple):
    """How to get and measure a teacher: a run pulls and plays it, a plan avoids both if possible."""

    pull: Callable[[str, str, Task], tuple[Teacher, Parent | None]]  # (reference, hub, task)
    measure: Callable[[Task, Mapping[str, Any], Teacher | None, int], dict[str, float]]  # (..., settings, ..., threads)


def prepare(request: RunRequest, start: Mapping[str, Any] | None, worker: Worker) -> Prepared:
    """Find and read what a request names; ValueError says why the run cannot start.

    `start`: the first line of a resumed run's ledger, whose settings and measures are kept.
    """

    def pull(reference: str, hub: str, task: Task) -> tuple[Teacher, Parent | None]:
        return worker.once("teacher", lambda: pull_teacher(reference, hub, task))

    found = resolve(request, start, Ways(pull, _measured))
    logged, log_origins = pull_logs(found.logs, request.hub, found.task)
    return found._replace(logged=logged, log_origins=tuple(log_origins))


def resolve(request: RunRequest, start: Mapping[str, Any] | None, ways: Ways) -> Prepared:
    """Find what a request names, without reading a log; ValueError says why the run cannot start."""
    task, hub, teacher = judged(find(request.task), request.episodes), request.hub, request.teacher
    if start is None:
        preset, settings = settle(task, request.method, request.budget, request.settings, request.preset)
    else:
        preset, settings = start.get("preset", ""), start["settings"]
    guide, origin = ways.pull(teacher or task.teacher, hub, task)
    if start is None:
        measured = ways.measure(task, settings, guide if origin else None, request.threads)
    else:
        measured = start.get("measured", {})
    plain = absolute(settings, measured)
    method = keywords.make(request.method, plain)
    _check_outputs(request.method, method, guide, origin)
    request = replace(request, environments=request.environments or rollout.environments(method))
    reads = reads_log(method)
    if start is None and reads and teacher and origin and not request.teacher_log:
        request = replace(request, teacher_log=(teacher_log.log_of(origin, teacher, task, hub),))
    logs = texts(request.teacher_log or task.log) if reads else ()
    if reads and not logs:
        raise ValueError(f"{request.method} learns from a teacher's log, and {task.name} has none: give --teacher-log")
    return Prepared(request, task, preset, settings, measured, plain, method, guide, origin, logs)


def introduce(ready: Prepared, show: Display) -> None:
    """Describe where a run's teacher and logs come from, and what users should know about them."""
    for origin in ready.origins:
        part = f", {origin.part}" if origin.part else ""
        hub_of = f", from the hub {ready.request.hub!r}" if "@" in origin.reference else ""
        show.note(f"{origin.kind}: {origin.reference}{part}{hub_of}")
    for remark in ready.guide.remarks:
        show.note(remark, "bold")
    if ready.origin is None:
        return
    for log in ready.log_origins:
        if strangers := teacher_log.others(ready.origin, log, ready.request.hub):
            show.note(f"the log {log.reference} was not played by the teacher, but by {', '.join(strangers)}", "bold")


def judged(task: Task, episodes: int) -> Task:
    """Return the task with `episodes` per evaluation and no step minimum; unchanged for 0."""
    return task._replace(evaluation_episodes=episodes, evaluation_steps=0) if episodes else task


def _check_outputs(name: str, method: Method, guide: Teacher, origin: Parent | None) -> None:
    """Raise ValueError if a method needs more of its teacher than the teacher offers."""
    if origin and method.needs_values and guide.outputs != "values":
        raise ValueError(
            f"{name} matches the teacher's action values, but {origin.reference} gives {guide.outputs}: take another "
            "teacher, another method, or --set value_weight=0"
        )
    if origin and method.inherits and guide.architecture.name == "called":
        raise ValueError(
            f"{name} starts from the teacher's weights, but the Python function {origin.reference} has none"
        )


def _measured(task: Task, settings: Mapping[str, Any], guide: Teacher | None, threads: int) -> dict[str, float]:
    """Return the sizes of the units of relative settings; ValueError if there is no teacher to measure."""
    units = units_of(settings)
    if units and guide is None:
        which = next(f"{key}={value}" for key, value in settings.items() if units_of({key: value}))
        raise ValueError(f"{which} is relative to a teacher, but the run has none: give --teacher, or a plain number")
    return measure(task, guide, units, threads) if guide else {}
