"""What a run descends from and what that cost: ancestors are priced here, for cards and for the board."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from ...agents.teacher import digest
from ...datasets import atomic
from ...datasets.hub import hub as hubs
from ...datasets.hub.reference import Ref
from ...leaderboard import costs, generations, ledger, lineage, prices
from ...leaderboard import record as records
from ...leaderboard.record import Parent
from ...leaderboard.results import Results, read
from ...leaderboard.submission import Source, node_of
from ..tasks.environments import make, seeds
from ..tasks.task import PINNED, Task, find
from .installed import least
from .load import policy_of
from .log_folder import SHARDS
from .recognised import content

MOST = 64  # ancestors outside of the repository


class AncestorPrice(NamedTuple):
    """What an ancestor cost by itself, the training it is of, and what it was made from."""

    spent: dict[str, float] | None  # None: nobody counted
    run: str  # id of its training; two students of one training are paid for once
    parents: tuple[Parent, ...]


class Accepted(NamedTuple):
    """What the maintainers have accepted as prior computation."""

    references: frozenset[str]  # user/name@commit, priced by what lies beside them
    prices: Mapping[str, Source]  # by digest, as they are written down


def total(record: records.RunRecord, point: records.Point, hub: str) -> lineage.Total:
    """Return what a student of a run cost with its distinct ancestors; those that cannot be looked at are unpriced.

    Parents may be folders on this machine.
    """
    nodes = list(map(node_of, declare(record, None, (hub,), local=True)))
    return costs.full(record, point, lineage.graph([record], nodes))


def declare(
    record: records.RunRecord,
    results: Results | None,
    places: Sequence[str],
    at_least: Mapping[str, Mapping[str, float]] | None = None,
    local: bool = False,
) -> list[Source]:
    """Return all ancestors of a run that are not students of the repository, and what they cost if anybody counted.

    `places`: hubs to look at, in this order. `at_least`: {reference: {unit: amount}}, lower bounds for those that
    nobody counted. `local`: a parent may be a folder on this machine, which means nothing to anybody else.
    """
    if results is None:
        return above(record.parents, {}, places, at_least, local)
    runs = {run: one.record for run, one in results.submissions.items()}
    return above(record.parents, runs, places, at_least, local, accepted(results))


def enter(references: Mapping[str, str], repository: Path, places: Sequence[str]) -> list[Source]:
    """Enter what teachers and logs cost, with all that they descend from, into the prices of a repository's folder.

    `references`: {user/name@commit: "teacher" or "log"}. ValueError if nobody counted one of them, or if it has
    another price there.
    """
    parents = []
    for reference, kind in references.items():
        if kind == "log":
            parents.append(Parent(kind="log", reference=reference, digest=log_facts(reference, places)[0]))
        else:
            weights = content(open_pinned(reference, kind, places))[1]
            parents.append(Parent(kind="teacher", reference=reference, digest=digest(weights)))
    results = read(repository)
    runs = {run: one.record for run, one in results.submissions.items()}
    found = above(parents, runs, places)
    atomic.write(repository / prices.FILE, prices.entered(results.prices, found))
    return found


def above(
    parents: Sequence[Parent],
    runs: Mapping[str, records.RunRecord],
    places: Sequence[str],
    at_least: Mapping[str, Mapping[str, float]] | None = None,
    local: bool = False,
    registry: Accepted | None = None,
) -> list[Source]:
    """Return these parents and all that they descend from, without the students of these runs; see `declare`.

    With a `registry` everything else than what is in it is unpriced, whatever lies beside it. What something accepted
    was made from is accepted.
    """
    trusted = set(registry.references) if registry else set()
    known = set().union(*map(lineage.trained, runs.values()))
    found: dict[str, Source] = {}
    todo = list(parents)
    while todo and len(found) < MOST:
        parent = todo.pop()
        key = parent.digest or parent.reference
        if key in known or key in found:
            continue
        if registry and key in registry.prices:
            found[key] = registry.prices[key]
            known_parents = [registry.prices[one] for one in found[key].parents if one in registry.prices]
            todo += [Parent(kind=one.kind, reference=one.reference, digest=one.digest) for one in known_parents]
            continue
        try:
            if registry and parent.reference not in trusted:
                raise ValueError("it is not accepted, so it has no price")
            priced = price(parent, runs, places, local)
            trusted |= {one.reference for one in priced.parents}
        except (ValueError, OSError, KeyError, TypeError):  # it cannot be looked at, or says nonsense of itself
            priced = AncestorPrice(None, "", ())
        bounds = at_least or {}
        bound = bounds.get(parent.reference) or bounds.get(parent.reference.partition("@")[0], {})
        bound = bound or least(parent.reference)
        found[key] = Source(
            digest=key,
            kind="log" if parent.kind == "log" else "teacher",
            reference=parent.reference,
            run=priced.run,
            parents=tuple(one.digest or one.reference for one in priced.parents),
            spent=priced.spent,
            at_least={} if priced.spent is not None else dict(bound),
        )
        todo += priced.parents
    return sorted(found.values(), key=lambda one: one.digest)


def accepted(results: Results) -> Accepted:
    """Return what has a price: the repository's list, the package's own teachers and logs, and promoted students'."""
    own = {reference for pair in PINNED.values() for reference in pair if reference}
    file = results.folder / generations.FILE
    made = generations.parse(file.read_bytes(), generations.FILE) if file.is_file() else ()
    promoted = {reference for one in made for reference in (one.teacher, one.log)}
    return Accepted(frozenset(own | promoted), {one.digest: one for one in results.prices})


def price(
    parent: Parent, runs: Mapping[str, records.RunRecord], places: Sequence[str], local: bool = False
) -> AncestorPrice:
    """Return what a teacher or log cost, by what lies beside it; ValueError or OSError if it cannot be looked at."""
    key = parent.digest or parent.reference
    return _log(parent, key, runs, places, local) if parent.kind == "log" else _teacher(parent, key, places, local)


def open_pinned(reference: str, kind: str, places: Sequence[str], local: bool = False) -> Path:
    """Return the files of a pinned reference, from the first of the hubs that has it; ValueError if none has it."""
    if local and Path(reference).is_dir():
        return Path(reference)
    ref, told = Ref.parse(reference), []
    if not ref.pinned:
        raise ValueError(f"{reference} is not pinned: give user/name@commit")
    for place in dict.fromkeys(places):
        try:
            return hubs.snapshot(ref, "dataset" if kind == "log" else "model", place)
        except ValueError as error:
            told.append(str(error))
    raise ValueError("; ".join(told))


def _teacher(parent: Parent, key: str, places: Sequence[str], local: bool) -> AncestorPrice:
    """Price a teacher by the record and the ledger beside it; nothing is known if there are none that hold."""
    folder = open_pinned(parent.reference, "teacher", places, local)
    if not (folder / "record.json").is_file():
        return AncestorPrice(None, "", ())
    record = records.load(folder / "record.json")
    lines = ledger.read(folder / "ledger.jsonl")
    spent = next((point.spent for point in record.points if point.parameters == key), None)
    if spent is None or ledger.faults(lines) or record.ledger not in [line.get("hash") for line in lines]:
        return AncestorPrice(None, "", ())
    return AncestorPrice(spent, record.run, record.parents)


def log_facts(reference: str, places: Sequence[str], local: bool = False) -> tuple[str, dict]:
    """Return the digest of a log's manifest and its provenance, without fetching gigabytes of experience."""
    folder, told = Path(reference), []
    if local and folder.is_dir():
        return _sealed(lambda name: (folder / name).read_bytes() if (folder / name).is_file() else b"", reference)
    ref = Ref.parse(reference)
    if not ref.pinned:
        raise ValueError(f"{reference} is not pinned: give user/name@commit")
    for place in dict.fromkeys(places):
        try:
            return _sealed(lambda name, place=place: hubs.read_file(ref, "dataset", name, place), reference)
        except (ValueError, OSError) as error:
            told.append(str(error))
    raise ValueError("; ".join(told))


def _sealed(read: Callable[[str], bytes], reference: str) -> tuple[str, dict]:
    manifest = read(f"{SHARDS}/manifest.json") or read("manifest.json")
    facts = json.loads(read("provenance.json") or b"{}")
    if not isinstance(facts, dict):
        raise ValueError(f"the provenance.json of {reference} is damaged")
    return hashlib.sha256(manifest).hexdigest() if manifest else "", facts


def _log(
    log: Parent, key: str, runs: Mapping[str, records.RunRecord], places: Sequence[str], local: bool
) -> AncestorPrice:
    """Price the playing of a log in all units: its transitions, each with one action of the policies that played it.

    A provenance that does not tell device seconds has its seconds counted as such, which is never too little.
    """
    seal, facts = log_facts(log.reference, places, local)
    if seal != key or not {"task", "transitions", "parents"} <= set(facts):
        return AncestorPrice(None, "", ())
    task, steps, above, flops = find(facts["task"]), float(facts["transitions"]), [], 0.0
    for one in facts["parents"]:
        reference = str(one["reference"])
        own = re.match(r"run (\S+)(?: at (\d+) steps)?$", reference)
        if own and own[1] in runs:
            points = runs[own[1]].points
            point = next((p for p in points if own[2] and p.spent["steps"] == float(own[2])), points[-1])
            above.append(Parent(kind="teacher", reference=reference, digest=point.parameters))
        else:
            config, arrays = content(open_pinned(reference, "teacher", places, local))
            above.append(Parent(kind="teacher", reference=reference, digest=digest(arrays)))
            flops = max(flops, action_flops(config, arrays, task))
    if "epsilon" not in facts:  # the experience of a training, which is paid for with it
        return AncestorPrice({}, "", tuple(above))
    spent = {"frames": steps * task.frame_skip, "steps": steps, "flops": steps * flops}
    seconds = float(facts.get("seconds", 0.0))
    return AncestorPrice({**spent, "seconds": seconds, "device": float(facts.get("device", seconds))}, "", tuple(above))


def action_flops(config: dict, arrays: dict[str, np.ndarray], task: Task) -> float:
    """Return FLOPs of choosing one action, as traced."""
    env = make(task, seeds("log", 0, 1))
    policy = policy_of(config, env, arrays, "the player of a log")
    counted = jax.jit(policy.apply).lower(policy.params, env.observe()).cost_analysis()
    return float(counted["flops"]) if counted else 0.0
