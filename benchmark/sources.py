"""What a run's parents cost when they are no records of the results repository: read from their own repositories."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from ..agents.teacher import digest
from ..datasets import hub as hubs
from ..datasets.reference import Ref
from ..leaderboard import ledger
from ..leaderboard import record as records
from ..leaderboard.results import Results
from ..leaderboard.submission import Source
from .environments import make, seeds
from .log_folder import SHARDS
from .prior import content, policy_of
from .task import Task, find

MOST = 64  # ancestors outside of the repository


def open_pinned(reference: str, kind: str, places: Sequence[str]) -> Path:
    """The files of a pinned reference, at the first of the hubs that has it; ValueError if none has it."""
    ref, told = Ref.parse(reference), []
    if not ref.pinned:
        raise ValueError(f"{reference} is not pinned: give user/name@commit")
    for place in dict.fromkeys(places):
        try:
            return hubs.snapshot(ref, "dataset" if kind == "log" else "model", place)
        except ValueError as error:
            told.append(str(error))
    raise ValueError("; ".join(told))


def declare(
    record: records.RunRecord,
    results: Results,
    places: Sequence[str],
    at_least: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Source]:
    """All ancestors of a run that are no students of the repository, and what they cost as far as anybody counted.

    `at_least`: {reference: {unit: amount}}, lower bounds for those that nobody counted.
    """
    runs = {run: one.record for run, one in results.submissions.items()}
    known = {point.parameters for one in runs.values() for point in one.points}
    found: dict[str, Source] = {}
    todo = [(parent.digest or parent.reference, parent.kind, parent.reference) for parent in record.parents]
    while todo and len(found) < MOST:
        key, kind, reference = todo.pop()
        if key in known or key in found:
            continue
        bound = dict((at_least or {}).get(reference) or (at_least or {}).get(reference.partition("@")[0], {}))
        source = Source(digest=key, kind="log" if kind == "log" else "teacher", reference=reference, at_least=bound)
        above: list[tuple[str, str, str]] = []
        try:
            if kind == "log":
                spent, above = _log(reference, key, runs, places)
            else:
                spent, above = _teacher(open_pinned(reference, kind, places), key)
            source = source.model_copy(update={"spent": spent, "parents": tuple(one[0] for one in above)})
            source = source.model_copy(update={"at_least": {}}) if spent is not None else source
        except ValueError:
            pass  # it cannot be looked at: it stays unpriced
        found[key] = source
        todo += above
    return sorted(found.values(), key=lambda one: one.digest)


def _teacher(folder: Path, key: str) -> tuple[dict[str, float] | None, list[tuple[str, str, str]]]:
    """What the record and the ledger beside a teacher say that it cost; nothing if there are none that hold."""
    if not (folder / "record.json").is_file():
        return None, []
    record = records.load(folder / "record.json")
    lines = ledger.read(folder / "ledger.jsonl")
    spent = next((point.spent for point in record.points if point.parameters == key), None)
    if spent is None or ledger.faults(lines) or record.ledger not in [line.get("hash") for line in lines]:
        return None, []
    return spent, [(parent.digest or parent.reference, parent.kind, parent.reference) for parent in record.parents]


def log_facts(reference: str, places: Sequence[str]) -> tuple[str, dict]:
    """The digest of a log's manifest and its provenance, without fetching what may be gigabytes of experience."""
    ref, told = Ref.parse(reference), []
    if not ref.pinned:
        raise ValueError(f"{reference} is not pinned: give user/name@commit")
    for place in dict.fromkeys(places):
        try:
            manifest = hubs.read_file(ref, "dataset", f"{SHARDS}/manifest.json", place)
            manifest = manifest or hubs.read_file(ref, "dataset", "manifest.json", place)
            facts = json.loads(hubs.read_file(ref, "dataset", "provenance.json", place) or b"{}")
            if not isinstance(facts, dict):
                raise ValueError(f"the provenance.json of {reference} is damaged")
            return hashlib.sha256(manifest).hexdigest() if manifest else "", facts
        except (ValueError, OSError) as error:
            told.append(str(error))
    raise ValueError("; ".join(told))


def _log(reference: str, key: str, runs, places) -> tuple[dict[str, float] | None, list[tuple[str, str, str]]]:
    """What playing a log cost: its transitions, each with one action of the policies that played it."""
    seal, facts = log_facts(reference, places)
    if seal != key or not {"task", "transitions", "parents"} <= set(facts):
        return None, []
    task, steps, above, price = find(facts["task"]), float(facts["transitions"]), [], 0.0
    for parent in facts["parents"]:
        reference = str(parent["reference"])
        own = re.match(r"run (\S+)(?: at (\d+) steps)?$", reference)
        if own and own[1] in runs:
            points = runs[own[1]].points
            point = next((p for p in points if own[2] and p.spent["steps"] == float(own[2])), points[-1])
            above.append((point.parameters, "teacher", reference))
        else:
            policy = open_pinned(reference, "teacher", places)
            config, arrays = content(policy)
            above.append((digest(arrays), "teacher", reference))
            price = max(price, action_flops(config, arrays, task))
    if "epsilon" not in facts:  # the experience of a training, which is paid for with it
        return {}, above
    return {"frames": steps * task.frame_skip, "steps": steps, "flops": steps * price}, above


def action_flops(config: dict, arrays: dict[str, np.ndarray], task: Task) -> float:
    """FLOPs of choosing one action, as traced."""
    env = make(task, seeds("log", 0, 1))
    policy = policy_of(config, env, arrays, "the player of a log")
    counted = jax.jit(policy.apply).lower(policy.params, env.observe()).cost_analysis()
    return float(counted["flops"]) if counted else 0.0
