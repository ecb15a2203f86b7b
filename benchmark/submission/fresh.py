"""Check a student before its first update: a curve may only start from fresh weights or the teacher's."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from ...agents.method import Architecture, Method, Teacher
from ...agents.networks import build
from ...agents.teacher import flatten
from ...leaderboard.record import RunRecord
from ..tasks.environments import make, seeds
from ..tasks.task import Task
from ..training.learning import first_key
from . import same

# Measured in MinAtar: sorted weights of two fresh networks differ by 0.01 to 0.07 standard deviations, and those after
# a quarter of a run differ from fresh ones by 0.88 or more, if only because biases start as zeros.
FRESH = 0.4
ROUNDING = 1e-4  # of the largest weight of an array


def faults(
    policies: Sequence[Teacher], record: RunRecord, method: Method | None, task: Task, guides: Sequence[Teacher]
) -> list[str]:
    """Return which points without an update have a trained student, one sentence each.

    `policies`: of all points. `guides`: the run's teachers; a student with a teacher's weights starts by acting like
    it, however much the network was grown. The initial weights of third-party methods are unknown.
    """
    given, fresh = {parent.digest for parent in record.parents}, None
    found, looked = [], set()
    for number, (policy, point) in enumerate(zip(policies, record.points, strict=True)):
        if method is None or point.spent.get("updates", 0.0) or point.parameters in {*given, *looked}:
            continue
        looked.add(point.parameters)
        name = f"record.points.{number}: the student was never updated"
        if method.inherits:
            ours = same.fingerprint(policy, flatten(policy.params), task)
            theirs = [same.fingerprint(guide, flatten(guide.params), task) for guide in guides]
            if not any(same.is_copy(ours, each, relatives=True) for each in theirs):
                found.append(f"{name}, but does not act as its teacher does")
            continue
        fresh = same.in_order(_begun(record, task)) if fresh is None else fresh
        if (gap := same.distance(same.in_order(flatten(policy.params)), fresh)) > FRESH:
            found.append(f"{name}, but its weights are {gap:.2f} standard deviations from fresh ones")
    return found


def begun(policies: Sequence[Teacher], record: RunRecord, method: Method | None, task: Task) -> set[str]:
    """Return the digests of the students without an update that have the fresh weights of their run's seed.

    Anybody can compute these, so they are nobody's, and prove nothing if another run has them too.
    """
    found: set[str] = set()
    for policy, point in zip(policies, record.points, strict=True):
        if method is None or point.spent.get("updates", 0.0) or point.parameters in found:
            continue
        ours = flatten(policy.params)
        if any(_equal(ours, _begun(record, task, member)) for member in range(max(method.population, 1))):
            found.add(point.parameters)
    return found


def _equal(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> bool:
    """Return whether weights are equal but for the rounding of another machine."""
    return ours.keys() == theirs.keys() and all(
        ours[name].shape == theirs[name].shape
        and bool(np.all(np.abs(ours[name] - theirs[name]) <= ROUNDING * np.abs(theirs[name]).max()))
        for name in ours
    )


def _begun(record: RunRecord, task: Task, member: int = 0) -> Mapping[str, np.ndarray]:
    """Return a run's network with the fresh weights of its seed, without compiling what is used once."""
    env = make(task, seeds("verification", 0, 1))
    net = build(Architecture(record.network["name"], record.network.get("options", {})), env.actions)
    return flatten(net.init(first_key(record.seed, member), jnp.asarray(env.observe())))
