"""What a student and all that it descends from cost, as the records and cards of its ancestors say."""

import json
from pathlib import Path

from ..datasets import hub as hubs
from ..datasets.reference import Ref
from ..leaderboard.lineage import Node, Total, full, graph
from ..leaderboard.record import Parent, Point, RunRecord


def total(record: RunRecord, point: Point, hub: str) -> Total:
    """The cost of a student at one point, and of its distinct ancestors; those that cannot be read are unpriced."""
    records, others, todo, seen = [record], [], list(record.parents), set()
    while todo:
        parent = todo.pop()
        key = parent.digest or parent.reference
        if key in seen:
            continue
        seen.add(key)
        try:
            if parent.kind == "log":
                node, parents = _log(parent, key, hub)
                others.append(node)
            else:
                records.append(RunRecord.model_validate_json(_read(parent.reference, "model", "record.json", hub)))
                parents = records[-1].parents
        except (OSError, ValueError, KeyError, TypeError):
            continue
        todo += parents
    return full(graph(records, others), point.parameters)


def _log(parent: Parent, key: str, hub: str) -> tuple[Node, list[Parent]]:
    """A log as its provenance has it: playing costs steps; whoever played is its parent."""
    facts = json.loads(_read(parent.reference, "dataset", "provenance.json", hub))
    steps = float(facts["transitions"])
    spent = {"steps": steps, "frames": steps * facts["protocol"]["frame_skip"], "seconds": float(facts["seconds"])}
    parents = []
    for one in facts.get("parents") or ():
        reference = str(one["reference"])
        digest = str(one.get("digest") or _weights_of(reference, hub))
        parents.append(Parent(kind="teacher", reference=reference, digest=digest))
    above = tuple(one.digest or one.reference for one in parents)
    return Node(key, key, spent, {}, above, "log", parent.reference), parents


def _weights_of(reference: str, hub: str) -> str:
    """The digest of a teacher's weights, by its record and the point of it that was promoted; empty if unknown."""
    try:
        record = RunRecord.model_validate_json(_read(reference, "model", "record.json", hub))
        spent = json.loads(_read(reference, "model", "config.json", hub)).get("spent")
    except (OSError, ValueError):
        return ""
    return next((point.parameters for point in record.points if point.spent == spent), "")


def _read(reference: str, kind: str, name: str, hub: str) -> bytes:
    if Path(reference).is_dir():
        return (Path(reference) / name).read_bytes()
    return hubs.read_file(hubs.resolve(Ref.parse(reference), kind, hub), kind, name, hub)
