"""Compute the work of a cell: steps, updates, FLOPs and bytes, from the costs of its programs."""

from functools import lru_cache
from typing import NamedTuple

from ...agents.method import Teacher
from ...datasets.replay.mixture import Mixture
from ...datasets.replay.replay import Replay
from ...leaderboard.record import Parent
from ..prior.load import pull_logs, pull_teacher
from ..runs.prepare import Prepared, Ways, resolve
from ..runs.request import RunRequest
from ..tasks.task import Task
from ..training import budget as budgets
from ..training.teacher_values import planned
from .program_costs import ProgramCosts

PROCESS = 700 * 2**20  # of a cell's process without its replay and log, measured on the MinAtar games
MEASURED = {"gap": 0.1, "episode": 500.0}  # typical measures of a teacher, which is not played for a plan
LOG_ROWS = 1_000_000  # of a teacher's log of unknown size


class Work(NamedTuple):
    """The work of a cell of one task and method."""

    steps: float
    updates: float
    flops: float
    learning: float  # FLOPs, without those of choosing actions
    shown: float  # agent steps of evaluations
    memory: float  # bytes
    disk: float  # bytes that remain
    scratch: float  # bytes during the run


def wanted(asked: RunRequest) -> Prepared:
    """Resolve a cell's request; ValueError if it cannot start."""
    return resolve(asked, None, Ways(_teacher, lambda *_: MEASURED))


def work(one: Prepared, costs: ProgramCosts) -> Work:
    """Return the work of a cell; ValueError if its budget does not suffice."""
    asked, task, method = one.request, one.task, one.method
    labels = costs.labels(lambda: _log(one.logs, asked.hub, task))
    plan, prices, schedule, _ = planned(
        asked.limits, method, costs, labels, asked.environments, task.frame_skip, exactly=True
    )
    flops, frame = budgets.total(plan, prices, schedule).flops, costs.frame_bytes
    rows = min(method.replay_capacity, 2 * plan.steps) * method.population
    ring = rows * frame + costs.learner_bytes * method.population
    held = LOG_ROWS * frame if one.logs else 0
    points = asked.points or task.points
    shown = _evaluation(task, asked) * (2 + len([point for point in points if point <= max(1.0, plan.steps)]))
    disk = costs.weight_bytes * (len(points) + 1) + 2**18
    learning = flops - plan.steps * prices.step.flops
    return Work(plan.steps, plan.updates, flops, learning, shown, PROCESS + ring + held, disk, 2.0 * ring)


def _evaluation(task: Task, asked: RunRequest) -> float:
    """Estimate the agent steps of one evaluation, assuming short episodes."""
    return 250.0 * asked.episodes if asked.episodes else max(task.evaluation_steps, 5_000)


@lru_cache(maxsize=1)  # the cells of a task follow each other
def _log(references: tuple[str, ...], hub: str, task: Task) -> Replay | Mixture | None:
    return pull_logs(references, hub, task)[0]


@lru_cache(maxsize=1)
def _teacher(reference: str, hub: str, task: Task) -> tuple[Teacher, Parent | None]:
    return pull_teacher(reference, hub, task)
