"""Measure a teacher: the gaps between its action values, and the length of its episodes."""

from collections.abc import Iterable

import jax
import numpy as np

from ...agents.method import Teacher
from ...datasets.transition import Box
from ..tasks.environments import make, seeds
from ..tasks.task import Task

AT_ONCE = 8  # environments, always with the same seeds, so that a teacher has the same measures in every run
LOOKED_AT = 250  # agent steps of each environment, for the gap
EPISODES_EACH = 2
LONGEST = 10_000  # agent steps of an episode if the task has no limit
FLOOR = 1e-4  # least gap of a teacher with any preference


def measure(task: Task, teacher: Teacher, units: Iterable[str], threads: int = 0) -> dict[str, float]:
    """Return the size of each relative unit: `gap` in the teacher's values, `episode` in agent steps.

    The greedy teacher plays, at no charge. The gap is the median over the observations, so a few large gaps do not
    matter. Raises ValueError for a gap between continuous actions.
    """
    measured = {}
    if "gap" in units:
        measured["gap"] = max(_gap(task, teacher, threads), FLOOR)
    if "episode" in units:
        measured["episode"] = _episode(task, teacher, threads)
    return measured


def _gap(task: Task, teacher: Teacher, threads: int) -> float:
    env, values = make(task, seeds("log", 0, AT_ONCE), threads), jax.jit(teacher.apply)
    if isinstance(env.actions, Box):
        raise ValueError("a gap is between the values of two actions, and this task's are continuous: give a number")
    gaps = []
    for _ in range(LOOKED_AT):
        worth = np.asarray(values(teacher.params, env.observe()))
        second, best = np.sort(worth, axis=1)[:, -2:].T
        gaps.append(best - second)
        env.step(worth.argmax(axis=1))
    return float(np.median(gaps))


def _episode(task: Task, teacher: Teacher, threads: int) -> float:
    env, values = make(task, seeds("log", 0, AT_ONCE), threads), jax.jit(teacher.apply)
    age, lengths = np.zeros(env.n, int), [[] for _ in range(env.n)]
    while min(map(len, lengths)) < EPISODES_EACH:
        worth = np.asarray(values(teacher.params, env.observe()))
        told = env.step(np.asarray(env.actions.real(worth)) if isinstance(env.actions, Box) else worth.argmax(axis=1))
        age += 1
        for i in np.flatnonzero(told.terminated | told.truncated | (age >= (task.max_steps or LONGEST))):
            lengths[i].append(int(age[i]))
            age[i] = 0
    return float(np.mean([own[:EPISODES_EACH] for own in lengths]))  # equal numbers: short episodes end earlier
