"""What a teacher is like: how far its actions' values lie apart, and how long its episodes last."""

from collections.abc import Iterable

import jax
import numpy as np

from ...agents.method import Teacher
from ..tasks.environments import make, seeds
from ..tasks.task import Task

AT_ONCE = 8  # environments, always started with the same seeds: a teacher measures the same in every run
LOOKED_AT = 250  # agent steps of each, for the gap
EPISODES_EACH = 2
LONGEST = 10_000  # agent steps of an episode, where the task has no limit
FLOOR = 1e-4  # of a gap: a teacher that prefers nothing says nothing


def measure(task: Task, teacher: Teacher, units: Iterable[str], threads: int = 0) -> dict[str, float]:
    """Return how large each unit is: `gap` in the teacher's values, `episode` in agent steps.

    The greedy teacher plays; nothing of it is charged. A gap is the median over what it meets, which a few states with
    large gaps do not move.
    """
    measured = {}
    if "gap" in units:
        measured["gap"] = max(_gap(task, teacher, threads), FLOOR)
    if "episode" in units:
        measured["episode"] = _episode(task, teacher, threads)
    return measured


def _gap(task: Task, teacher: Teacher, threads: int) -> float:
    env, values = make(task, seeds("log", 0, AT_ONCE), threads), jax.jit(teacher.apply)
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
        told = env.step(np.asarray(values(teacher.params, env.observe())).argmax(axis=1))
        age += 1
        for i in np.flatnonzero(told.terminated | told.truncated | (age >= (task.max_steps or LONGEST))):
            lengths[i].append(int(age[i]))
            age[i] = 0
    return float(np.mean([own[:EPISODES_EACH] for own in lengths]))  # as many of each: short ones end earlier
