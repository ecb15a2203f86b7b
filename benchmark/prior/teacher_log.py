"""Find the log of a teacher, so that a student never unknowingly gets another policy's experience."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

from ...datasets.folders import regular
from ...datasets.hub import hub as hubs
from ...datasets.hub.reference import Ref
from ...datasets.rlds.select import LogPart
from ...leaderboard.record import Parent
from ..tasks.task import Task

PROVENANCE = "provenance.json"
MOST = 20  # logs of a hub to look at


def log_of(teacher: Parent, given: str, task: Task, hub: str) -> str:
    """Find the log of a teacher on its hub: user/name@commit.

    The log's provenance must state this task, and this teacher as its only player, by the digest of the weights or else
    by the pinned reference. The task's own log is tried first, then USER/NAME-log, then all logs with the teacher's
    name in theirs, sorted by name. `given`: the teacher as the user wrote it. ValueError names the command that makes a
    log.
    """
    for ref in _candidates(teacher, task, hub):
        facts = _provenance(str(ref), hub)
        played = [_is(parent, teacher) for parent in facts.get("parents", ())]
        if facts.get("task") == task.name and played and all(played):
            return str(ref)
    out = quote(f"logs/{os.path.basename(given.partition('@')[0].rstrip('/')) or 'teacher'}")
    where = "" if hub == "bundled" else f" --hub {hub}"
    raise ValueError(
        f"this method learns from its teacher's log, and the hub {hub!r} has none by {given}: make one with "
        f"`reincarnate log {quote(given)} --steps 100k --out {out}{where}`, and give it with --teacher-log {out}"
    )


def others(teacher: Parent, log: Parent, hub: str) -> list[str]:
    """Name the players of a log that are certainly not the teacher."""
    parents = _provenance(log.reference, hub).get("parents", ())
    return [str(one.get("reference", "")) for one in parents if _is(one, teacher) is False]


def _candidates(teacher: Parent, task: Task, hub: str) -> Iterator[Ref]:
    repo, at, _ = teacher.reference.partition("@")
    if teacher.reference == task.teacher and task.log:
        yield Ref.parse(task.log)
    if not at:  # folders have no address on a hub
        return
    try:
        yield hubs.resolve(Ref.parse(f"{repo}-log"), "dataset", hub)
    except ValueError:
        pass  # no log has that name
    found = hubs.search("dataset", hub, text=repo.partition("/")[2], most=MOST)
    yield from sorted(one.ref for one in found)


def _is(parent: Any, teacher: Parent) -> bool | None:
    """Return whether a log's parent is the teacher; None if unknown."""
    if not isinstance(parent, dict):
        return None
    reference, digest = str(parent.get("reference", "")), parent.get("digest")
    pinned = "@" in reference and "@" in teacher.reference
    if digest and not (pinned and reference == teacher.reference):
        return digest == teacher.digest  # whatever its name is here
    return True if reference == teacher.reference else False if pinned else None


def _provenance(reference: str, hub: str) -> dict[str, Any]:
    """Return a log's provenance; empty if none can be read."""
    try:
        if "@" in reference:
            data = hubs.read_file(Ref.parse(reference), "dataset", PROVENANCE, hub)
        else:
            data = regular(Path(LogPart.parse(reference).reference) / PROVENANCE).read_bytes()
        facts = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return {}
    known = isinstance(facts, dict) and isinstance(facts.get("parents", ()), (list, tuple))
    return facts if known else {}
