"""Check a student before its first update: a curve may only start from fresh weights or the teacher's."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from ...agents.method import Architecture, Method, Teacher
from ...agents.networks import build
from ...agents.teacher import flatten
from ...leaderboard.record import RunRecord
from ..tasks.environments import make, seeds
from ..tasks.task import Task
from . import same

# Measured in MinAtar: sorted weights of two fresh networks differ by 0.01 to 0.07 standard deviations, and those after
# a quarter of a run differ from fresh ones by 0.88 or more, if only because biases start as zeros.
FRESH = 0.4


def faults(
    policies: Sequence[Teacher], record: RunRecord, method: Method | None, task: Task, guides: Sequence[Teacher]
) -> list[str]:
    """Return which points without an update have a trained student, one sentence each.

    `policies`: of all points. `guides`: the run's teachers; a student with a teacher's weights starts by acting like
    it, however much the network was grown. The initial weights of third-party methods are unknown.
    """
    given, begun = {parent.digest for parent in record.parents}, None
    found, looked = [], set()
    for number, (policy, point) in enumerate(zip(policies, record.points, strict=True)):
        if method is None or point.spent.get("updates", 0.0) or point.parameters in {*given, *looked}:
            continue
        looked.add(point.parameters)
        name = f"record.points.{number}: the student has had no update"
        if method.inherits:
            ours = same.fingerprint(policy, flatten(policy.params), task)
            theirs = [same.fingerprint(guide, flatten(guide.params), task) for guide in guides]
            if not any(same.is_copy(ours, each, relatives=True) for each in theirs):
                found.append(f"{name}, but does not act as its teacher does")
            continue
        begun = _begun(record, task) if begun is None else begun
        if (gap := same.distance(same.in_order(flatten(policy.params)), begun)) > FRESH:
            found.append(f"{name}, but its weights are {gap:.2f} standard deviations from fresh ones")
    return found


def _begun(record: RunRecord, task: Task):
    """Return a run's network with fresh weights, sorted."""
    env = make(task, seeds("verification", 0, 1))
    net = build(Architecture(record.network["name"], record.network.get("options", {})), env.actions)
    return same.in_order(flatten(net.init(jax.random.key(0), jnp.asarray(env.observe()))))
