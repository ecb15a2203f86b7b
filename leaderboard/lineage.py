"""The graph of prior computation: ancestry and cost, with each ancestor counted once.

A run's cost counts once, however many of its students are used, because an earlier student is part of the same
training. A node is a student (a run up to a point), a log, or an outside ancestor without a ledger.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from .record import RunRecord, foreign


class Node(NamedTuple):
    """One piece of prior computation."""

    key: str  # SHA-256 of the weights, or of a log's manifest
    training: str  # unit of payment: the id of the run, or the key itself
    spent: Mapping[str, float] | None  # of the training up to here; None if unknown
    at_least: Mapping[str, float]  # declared lower bound of an unknown cost
    parents: tuple[str, ...]  # keys
    kind: str  # "student", "log" or "outside"
    name: str  # for people


class Total(NamedTuple):
    """A sum of costs by unit; a lower bound if it has unpriced parts, which count with their declared lower bounds."""

    spent: dict[str, float]
    unpriced: tuple[str, ...]  # names of ancestors of unknown cost


Graph = Mapping[str, Node]


def graph(records: Sequence[RunRecord], others: Iterable[Node] = (), prices: Iterable[Node] = ()) -> dict[str, Node]:
    """Return nodes for priced ancestors, for the students of these records, for other sources, and for unknown parents.

    Weights belong to the first run that has them, in this order, but never to a run that received them: an untrained
    student may still equal its teacher. Weights without an update belong to a record that trained them, if any. The
    cost of third-party code cannot be bounded by tracing, so it is a lower bound, not a price.
    """
    nodes = {node.key: node for node in prices}
    named: dict[str, str] = {}  # parent -> name
    for learned in (True, False):
        for record in records:
            given = {parent.digest or parent.reference: parent.reference for parent in record.parents}
            named |= given
            above, name, unbounded = tuple(given), f"{record.method} {record.run}", bool(foreign(record))
            for point in record.points:
                key = point.parameters
                if key not in given and key not in nodes and bool(point.spent.get("updates")) == learned:
                    counted = (None, point.spent) if unbounded else (point.spent, {})
                    nodes[key] = Node(key, record.run, *counted, above, "student", name)
    for node in others:
        nodes.setdefault(node.key, node)
    for node in list(nodes.values()):
        named |= {key: key for key in node.parents if key not in named}
    for key, name in named.items():
        nodes.setdefault(key, Node(key, key, None, {}, (), "outside", name))
    return nodes


def trained(record: RunRecord) -> set[str]:
    """Return the weights that a run has trained: neither received nor fresh ones."""
    made = {point.parameters for point in record.points if point.spent.get("updates")}
    return made - {parent.digest for parent in record.parents}


def faults(records: Sequence[RunRecord], others: Iterable[Node] = ()) -> list[str]:
    """Return what no honest lineage has, one sentence each: a cycle, or trained weights that two runs claim."""
    found, owners = [], {}
    for record in records:
        given = {parent.digest for parent in record.parents}
        for point in record.points:
            if not point.spent.get("updates"):
                continue  # fresh weights depend on the seed only
            if point is record.points[-1] and point.parameters in given:
                found.append(f"the student of run {record.run} is one of its parents: it has learned nothing")
            owner = owners.setdefault(point.parameters, record.run)
            if owner != record.run and point.parameters not in given:
                found.append(f"runs {owner} and {record.run} have the same weights {point.parameters[:12]}")
    nodes = graph(records, others)
    if circle := find_circle(nodes):
        found.append(f"the lineage runs in a circle: {' <- '.join(nodes[key].name for key in circle)}")
    return found


def find_circle(nodes: Graph) -> list[str]:
    """Return the keys along one cycle, first and last the same; empty if there is none. Safe for deep graphs.

    The students of a run count as one: a run cannot descend from its own output.
    """
    above: dict[str, set[str]] = {}
    example: dict[str, str] = {}
    for node in nodes.values():
        example[node.training] = node.key
        above.setdefault(node.training, set()).update(nodes[key].training for key in node.parents if key in nodes)
    done: set[str] = set()
    for root in above:
        trail, stack = [], [(root, False)]
        on_trail: set[str] = set()
        while stack:
            name, leaving = stack.pop()
            if leaving:
                on_trail.discard(trail.pop())
                done.add(name)
            elif name in on_trail:
                return [example[each] for each in (*trail[trail.index(name) :], name)]
            elif name not in done:
                trail.append(name)
                on_trail.add(name)
                stack += [(name, True), *((one, False) for one in above.get(name, ()))]
    return []


def ancestors(nodes: Graph, key: str) -> set[str]:
    """Return the keys of all ancestors of a node, itself excluded."""
    return _reached(nodes, nodes[key].parents)


def _reached(nodes: Graph, keys: Iterable[str]) -> set[str]:
    """Return these keys and those of all their ancestors."""
    found: set[str] = set()
    open_ = list(keys)
    while open_:
        one = open_.pop()
        if one not in found:
            found.add(one)
            open_ += nodes[one].parents if one in nodes else ()
    return found


def marginal(nodes: Graph, key: str) -> Total:
    """Return the cost of its own training, as if its ancestors were free."""
    return _sum(nodes, [key])


def full(nodes: Graph, key: str) -> Total:
    """Return the cost of its own training and of its distinct ancestors."""
    return _sum(nodes, [key, *sorted(ancestors(nodes, key))])


def shared(nodes: Graph, key: str, users: Mapping[str, int]) -> Total:
    """Return the cost of its own training, plus its share of each ancestor, which is split among all its users.

    `users`: how many trainings descend from each training, as `descendants` counts them.
    """
    own = nodes[key].training
    above = sorted(one for one in ancestors(nodes, key) if nodes[one].training != own)
    return _sum(nodes, [key, *above], {one: max(users.get(one, 1), 1) for one in {nodes[k].training for k in above}})


def descendants(nodes: Graph, without: Collection[str] = ()) -> dict[str, int]:
    """Count the trainings that descend from each training, `without` those of runs that were not accepted."""
    found: dict[str, set[str]] = {}
    students = ((n.training, n.parents) for n in nodes.values() if n.kind == "student" and n.training not in without)
    for training, parents in dict.fromkeys(students):  # the students of a run have the same parents
        for key in _reached(nodes, parents):
            if nodes[key].training != training:
                found.setdefault(nodes[key].training, set()).add(training)
    return {training: len(below) for training, below in found.items()}


def tainted(nodes: Graph, revoked: Iterable[str]) -> dict[str, list[str]]:
    """Return the revoked trainings above each training, itself included."""
    bad, found = set(revoked), {}
    for training, parents in dict.fromkeys((node.training, node.parents) for node in nodes.values()):
        above = {training, *(nodes[key].training for key in _reached(nodes, parents))} & bad
        if above:
            found[training] = sorted(above | set(found.get(training, ())))
    return found


def _sum(nodes: Graph, keys: Sequence[str], divide: Mapping[str, int] | None = None) -> Total:
    """Sum the cost of these nodes exactly; a training counts with the largest amount of its nodes."""
    costs: dict[str, dict[str, float]] = {}
    unpriced = []
    for key in keys:
        node = nodes[key]
        if node.spent is None:
            unpriced.append(node.name)
        for unit, amount in (node.at_least if node.spent is None else node.spent).items():
            of = costs.setdefault(node.training, {})
            of[unit] = max(of.get(unit, 0.0), amount)
    parts: dict[str, list[float]] = {}
    for training, cost in costs.items():
        users = divide.get(training, 1) if divide else 1
        for unit, amount in cost.items():
            parts.setdefault(unit, []).append(amount / users)
    totals = {unit: math.fsum(parts[unit]) for unit in sorted(parts)}
    return Total(totals, tuple(dict.fromkeys(unpriced)))
