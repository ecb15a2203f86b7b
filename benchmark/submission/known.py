"""All students and teachers of a task that the maintainer has seen, and whether a new one is one of them."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from ...agents.method import Teacher
from ...agents.teacher import digest, flatten
from ...datasets.hub import bundled
from ...datasets.hub import hub as hubs
from ...datasets.teachers import weights as files
from ...leaderboard.record import RunRecord
from ...leaderboard.results import Results
from ...leaderboard.submission import Submission, Verdict
from ..prior.load import policy_of, read_config
from ..tasks.environments import make, seeds
from ..tasks.task import Task
from . import same
from .same import Print

Weights = Mapping[str, np.ndarray]
OWN = "its own teacher"


class Known(NamedTuple):
    """One that was there before."""

    name: str
    parameters: str  # digest of its weights
    print: Print | None
    relative: bool  # whether the record says that both have an ancestor in common


def of(
    one: Submission,
    task: Task,
    results: Results,
    told: Sequence[Verdict],
    request: str,
    guides: Sequence[Teacher],
) -> list[Known]:
    """Return everything that a student of this task must not be, whoever handed it in, revoked ones too.

    Of requests that were rejected or still wait, those whose commit was first seen before this one's.
    """
    given = {parent.digest for parent in one.record.parents if parent.kind == "teacher"}
    found: dict[str, Known] = {}
    for run, verdict in results.verdicts.items():
        theirs = results.submissions.get(run)
        if theirs is None or theirs.record.task != task.name or run == one.record.run:
            continue
        above = {parent.digest for parent in theirs.record.parents if parent.kind == "teacher"}
        made = {point.parameters for point in theirs.record.points}
        parameters = theirs.record.points[-1].parameters
        related = bool(given & (above | made))
        found[parameters] = Known(f"run {run} of {theirs.author}", parameters, same.read(verdict.fingerprint), related)
    mine = next((row.first for row in results.seen if f"#{row.request}@{row.head}" == request), "")
    for row in results.seen:
        for each in row.students:
            own = (row.author, each.run) == (one.author, one.record.run)
            if each.task == task.name and not own and mine and each.first < mine and each.parameters not in found:
                name = f"run {each.run} of {row.author} in pull request {row.request}, which was seen before"
                found[each.parameters] = Known(name, each.parameters, same.read(each.fingerprint), False)
    for verdict in told:
        if verdict.task == task.name and verdict.parameters not in found:
            name = f"run {verdict.run} of the same request"
            found[verdict.parameters] = Known(name, verdict.parameters, same.read(verdict.fingerprint), bool(given))
    for name, parameters, print_ in teachers(task):
        found[parameters] = Known(f"the teacher {name}", parameters, print_, parameters in given)
    return [*found.values(), *(_guide(guide, task) for guide in guides)]


@cache
def teachers(task: Task) -> tuple[tuple[str, str, Print], ...]:
    """Return (reference, digest, fingerprint) of the task's teachers that come with the package."""
    found = []
    for ref in bundled.newest("model"):
        try:
            folder = hubs.snapshot(ref, "model", "bundled")
            config = read_config(folder)
            if config.get("task") != task.name:
                continue
            arrays = files.load(folder / "policy.safetensors")
            policy = policy_of(config, make(task, seeds("verification", 0, 1)), arrays, str(ref))
            found.append((str(ref), digest(arrays), same.fingerprint(policy, arrays, task)))
        except (ValueError, OSError):
            continue  # the package is damaged: other commands say so
    return tuple(found)


def faults(
    policy: Teacher, arrays: Weights, parameters: str, task: Task, known: Sequence[Known]
) -> tuple[list[str], str]:
    """Return whom a student is a copy of, one sentence each; and its fingerprint."""
    try:
        ours = same.fingerprint(policy, arrays, task)
    except ValueError as error:
        return [f"student: {error}"], ""
    return _copied(ours, parameters, known), ours.text()


def _copied(ours: Print, parameters: str, known: Sequence[Known]) -> list[str]:
    found = []
    for one in known:
        if one.parameters and one.parameters == parameters:
            found.append(f"the student has the weights of {one.name}")
        elif one.print is not None and (why := same.is_copy(ours, one.print, one.relative)):
            found.append(f"the student is {one.name}, a copy or made from it without saying so: {why}")
    return found


def early(policies: Sequence[Teacher], record: RunRecord, task: Task, known: Sequence[Known]) -> list[str]:
    """Return whom the students before the end are copies of, one sentence each: curves and areas count them.

    One that still is its own teacher, or nearly, is what it says it is: the teacher is a parent, and its cost counts.
    """
    given = {parent.digest for parent in record.parents}
    own, others = [], []
    for one in known:
        (own if one.name == OWN or one.parameters in given else others).append(one)
    found, looked = [], {record.points[-1].parameters, *given}
    for number, (policy, point) in enumerate(zip(policies[:-1], record.points, strict=False)):
        if point.parameters in looked:
            continue
        looked.add(point.parameters)
        arrays = flatten(policy.params)
        ours = same.fingerprint(policy, arrays, task)
        if not any(one.print is not None and same.is_copy(ours, one.print, True) for one in own):
            found += [f"record.points.{number}: {told}" for told in _copied(ours, point.parameters, others)]
    return found


def _guide(guide: Teacher, task: Task) -> Known:
    arrays = flatten(guide.params)
    try:
        return Known(OWN, digest(arrays), same.fingerprint(guide, arrays, task), True)
    except ValueError:
        return Known(OWN, digest(arrays), None, True)
