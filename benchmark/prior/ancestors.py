"""A run's ancestors and what they cost, for cards and for the board."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import jax
import numpy as np

from ...agents.teacher import digest
from ...datasets import atomic
from ...datasets.hub import hub as hubs
from ...datasets.hub.reference import Ref
from ...datasets.hub.shipped import SHIPPED
from ...leaderboard import costs, generations, ledger, lineage, prices
from ...leaderboard import record as records
from ...leaderboard.record import Parent
from ...leaderboard.results import Results, read
from ...leaderboard.submission import Source, node_of
from ..tasks.environments import make, seeds
from ..tasks.task import Task, find
from .installed import file_of, least
from .load import policy_of
from .log_folder import SHARDS
from .recognised import content

MOST = 64  # ancestors outside of the repository
PLAYERS = 8  # of them, that a log may name which was not accepted
Answer = TypeVar("Answer")


class AncestorPrice(NamedTuple):
    """The cost of an ancestor by itself, the training it comes from, and its parents."""

    spent: dict[str, float] | None  # None: never recorded
    run: str  # id of its training; two students of one training are paid for once
    parents: tuple[Parent, ...]


class Accepted(NamedTuple):
    """The prior computation that the maintainers have accepted."""

    references: frozenset[str]  # user/name@commit, priced by the files next to them
    prices: Mapping[str, Source]  # by digest, as recorded


def total(record: records.RunRecord, point: records.Point, hub: str) -> lineage.Total:
    """Return what a student of a run cost with its distinct ancestors; those that cannot be read have no price.

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
    """Return a run's ancestors that are not students of the repository, with their costs where recorded.

    `places`: hubs to search, in this order. `at_least`: {reference: {unit: amount}}, lower bounds where no cost was
    recorded. `local`: a parent may be a folder on this machine, which nobody else can read.
    """
    if results is None:
        return above(record.parents, {}, places, at_least, local)
    runs = {run: one.record for run, one in results.submissions.items()}
    return above(record.parents, runs, places, at_least, local, accepted(results))


def enter(references: Mapping[str, str], repository: Path, places: Sequence[str]) -> list[Source]:
    """Add the costs of teachers and logs, with all their ancestors, to the prices of a repository's folder.

    `references`: {user/name@commit: "teacher" or "log"}. ValueError if the cost of one was never recorded, or if the
    folder has another price for it.
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
    """Return these parents and all their ancestors, except for students of these runs; see `declare`.

    With a `registry`, anything outside of it has no price, whatever files are next to it. The parents of accepted
    ancestors are accepted.
    """
    trusted = set(registry.references) if registry else set()
    known = set().union(*map(lineage.trained, runs.values()))
    found: dict[str, Source] = {}
    todo, told = list(parents), []  # those that a log names come last, so that they cannot stand for another
    while (todo or told) and len(found) < MOST:
        parent = todo.pop() if todo else told.pop()
        key = parent.digest or parent.reference
        if key in known or key in found:
            continue
        if registry and key in registry.prices:
            found[key] = registry.prices[key]
            known_parents = [registry.prices[one] for one in found[key].parents if one in registry.prices]
            todo += [Parent(kind=one.kind, reference=one.reference, digest=one.digest) for one in known_parents]
            continue
        try:
            if registry is None or parent.reference in trusted:
                priced = price(parent, runs, places, local)
                trusted |= {one.reference for one in priced.parents}
                todo += priced.parents
            else:  # it was not accepted, so it has no price, and whoever it names has to be counted all the same
                priced = AncestorPrice(None, "", _players(parent, runs, places) if parent.kind == "log" else ())
                told += priced.parents
        except (ValueError, OSError, KeyError, TypeError):  # it cannot be read, or its files are invalid
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
    return sorted(found.values(), key=lambda one: one.digest)


def accepted(results: Results) -> Accepted:
    """Return what has a price: the repository's list, what comes with the package, and what promoted students made."""
    file = results.folder / generations.FILE
    made = generations.parse(file.read_bytes(), generations.FILE) if file.is_file() else ()
    promoted = {reference for one in made for reference in (one.teacher, one.log)}
    return Accepted(SHIPPED | promoted, {one.digest: one for one in results.prices})


def price(
    parent: Parent, runs: Mapping[str, records.RunRecord], places: Sequence[str], local: bool = False
) -> AncestorPrice:
    """Return what a teacher or log cost, from the files next to it; ValueError or OSError if it cannot be read."""
    key = parent.digest or parent.reference
    return _log(parent, key, runs, places, local) if parent.kind == "log" else _teacher(parent, key, places, local)


def open_pinned(reference: str, kind: str, places: Sequence[str], local: bool = False) -> Path:
    """Return the files of a pinned reference from the first hub that has it, or the file of an installed teacher;
    ValueError if none has it."""
    if local and Path(reference).is_dir():
        return Path(reference)
    if file := _installed(reference, kind):
        return file
    return _at_first(_pinned(reference), places, lambda ref, place: hubs.snapshot(ref, _repository(kind), place))


def is_published(reference: str, kind: str, places: Sequence[str]) -> bool:
    """Return whether a pinned reference is on its owner's main branch, at the first hub that has it, or installed."""
    return _installed(reference, kind) is not None or _at_first(
        reference, places, lambda ref, place: hubs.is_published(ref, _repository(kind), place)
    )


def sizes(reference: str, kind: str, places: Sequence[str]) -> dict[str, int]:
    """Return {name: bytes} of the files of a pinned reference, at the first hub that has it, or of one installed."""
    if file := _installed(reference, kind):
        return {file.name: file.stat().st_size}
    return _at_first(_pinned(reference), places, lambda ref, place: hubs.files(ref, _repository(kind), place))


def _installed(reference: str, kind: str) -> Path | None:
    """Return the file of a teacher that another package ships; ValueError if that package is missing here."""
    return file_of(reference) if kind == "teacher" else None


def _at_first(reference: str, places: Sequence[str], ask: Callable[[Ref, str], Answer]) -> Answer:
    """Return the answer of the first hub that has a reference; ValueError with all refusals if none has it."""
    ref, told = Ref.parse(reference), []
    for place in dict.fromkeys(places):
        try:
            return ask(ref, place)
        except (ValueError, OSError) as error:
            told.append(str(error))
    raise ValueError("; ".join(told))


def _pinned(reference: str) -> str:
    if not Ref.parse(reference).pinned:
        raise ValueError(f"{reference} is not pinned: give user/name@commit")
    return reference


def _repository(kind: str) -> str:
    return "dataset" if kind == "log" else "model"


def _teacher(parent: Parent, key: str, places: Sequence[str], local: bool) -> AncestorPrice:
    """Price a teacher by its record and ledger; the cost is unknown without valid ones."""
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
    """Return the digest of a log's manifest and its provenance, without downloading the experience."""
    folder = Path(reference)
    if local and folder.is_dir():
        return _sealed(lambda name: (folder / name).read_bytes() if (folder / name).is_file() else b"", reference)
    return _at_first(
        _pinned(reference),
        places,
        lambda ref, place: _sealed(lambda name: hubs.read_file(ref, "dataset", name, place), reference),
    )


def _sealed(read: Callable[[str], bytes], reference: str) -> tuple[str, dict]:
    manifest = read(f"{SHARDS}/manifest.json") or read("manifest.json")
    facts = json.loads(read("provenance.json") or b"{}")
    if not isinstance(facts, dict):
        raise ValueError(f"the provenance.json of {reference} is damaged")
    return hashlib.sha256(manifest).hexdigest() if manifest else "", facts


def _log(
    log: Parent, key: str, runs: Mapping[str, records.RunRecord], places: Sequence[str], local: bool
) -> AncestorPrice:
    """Price the collection of a log in all units: its transitions, each with one action of the policies that played it.

    If the provenance has no device seconds, all of its seconds count as such, which is never too few. A log of a
    training, which is named after one of its students, costs what the training spent after that student, because its
    transitions are the last ones.
    """
    seal, facts = log_facts(log.reference, places, local)
    if seal != key or not {"task", "transitions", "parents"} <= set(facts):
        return AncestorPrice(None, "", ())
    task, steps, above, flops = find(facts["task"]), float(facts["transitions"]), [], 0.0
    for one in facts["parents"]:
        reference = str(one["reference"])
        if own := _own(reference, runs):
            above.append(own)
        else:
            config, arrays = content(open_pinned(reference, "teacher", places, local))
            above.append(Parent(kind="teacher", reference=reference, digest=digest(arrays)))
            flops = max(flops, action_flops(config, arrays, task))
    if "epsilon" not in facts:  # the experience of a training
        return AncestorPrice(_after(above, runs, places, local), "", tuple(above))
    spent = {"frames": steps * task.frame_skip, "steps": steps, "flops": steps * flops}
    seconds = float(facts.get("seconds", 0.0))
    return AncestorPrice({**spent, "seconds": seconds, "device": float(facts.get("device", seconds))}, "", tuple(above))


def _after(
    students: Sequence[Parent], runs: Mapping[str, records.RunRecord], places: Sequence[str], local: bool
) -> dict[str, float] | None:
    """Return what trainings spent after these students; None if the record of one does not say it."""
    total: dict[str, float] = {}
    for one in students:
        record = runs.get(_run_named(one.reference)[0]) or _record_of(one, places, local)
        point = next((p for p in record.points if p.parameters == one.digest), None) if record else None
        if record is None or point is None or not record.complete:
            return None
        for unit, amount in record.points[-1].spent.items():
            if more := max(amount - point.spent.get(unit, 0.0), 0.0):
                total[unit] = total.get(unit, 0.0) + more
    return total


def _record_of(teacher: Parent, places: Sequence[str], local: bool) -> records.RunRecord | None:
    file = open_pinned(teacher.reference, "teacher", places, local) / "record.json"
    return records.load(file) if file.is_file() else None


def _players(log: Parent, runs: Mapping[str, records.RunRecord], places: Sequence[str]) -> tuple[Parent, ...]:
    """Return the teachers that played a log, by its own word: it may hide one, and naming one only adds to the cost."""
    _, facts = log_facts(log.reference, places)
    told = [(str(one["reference"]), str(one.get("digest", ""))) for one in facts["parents"][:PLAYERS]]
    return tuple(_own(ref, runs) or Parent(kind="teacher", reference=ref, digest=seal) for ref, seal in told)


def _own(reference: str, runs: Mapping[str, records.RunRecord]) -> Parent | None:
    """Return the student that `run ID at N steps` names, if it is one of these runs."""
    run, steps = _run_named(reference)
    if run not in runs:
        return None
    points = runs[run].points
    point = next((p for p in points if steps and p.spent["steps"] == float(steps)), points[-1])
    return Parent(kind="teacher", reference=reference, digest=point.parameters)


def _run_named(reference: str) -> tuple[str, str]:
    """Return the run and the steps that `run ID at N steps` names; empty texts if it names none."""
    own = re.match(r"run (\S+)(?: at (\d+) steps)?$", reference)
    return (own[1], own[2] or "") if own else ("", "")


def action_flops(config: dict, arrays: dict[str, np.ndarray], task: Task) -> float:
    """Return the FLOPs of choosing one action, as traced."""
    env = make(task, seeds("log", 0, 1))
    policy = policy_of(config, env, arrays, "the player of a log")
    counted = jax.jit(policy.apply).lower(policy.params, env.observe()).cost_analysis()
    return float(counted["flops"]) if counted else 0.0
