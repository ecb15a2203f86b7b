"""The cost of runs in a results repository: their own, in full, and with shared ancestors split."""

import math
from collections import ChainMap
from collections.abc import Iterable
from typing import NamedTuple

from . import lineage
from .record import Point, RunRecord
from .results import Results
from .submission import Submission, node_of, nodes

VIEWS = ("full", "marginal", "shared")


class Costs(NamedTuple):
    """The cost of a run's last student: view -> unit -> amount."""

    views: dict[str, dict[str, float]]
    unpriced: tuple[str, ...]  # ancestors of unknown cost, which make the sums lower bounds


class RepositoryLineage(NamedTuple):
    """The lineage of a whole repository."""

    nodes: dict[str, lineage.Node]
    users: dict[str, int]  # training -> number of its accepted descendants
    tainted: dict[str, list[str]]  # run -> the revoked runs above it, or itself


ACCEPTED = ("re-scored", "re-trained", "promoted")


def family(results: Results) -> RepositoryLineage:
    """Return the graph of all runs and their ancestors.

    Weights and logs belong to the run that was accepted first, and have its cost: the repository's prices come first,
    then accepted runs by the date of their verdict, then what accepted runs declared, because it was compared with its
    repository. Revoked and unjudged runs own only what nobody else has, so that they can neither price nor taint the
    ancestors of others, nor share their cost.
    """
    runs = in_order(results)
    good = [one.record for one in runs if _accepted(results, one)]
    other = [one.record for one in runs if not _accepted(results, one)]
    rest = lineage.graph(other)
    graph = lineage.graph(good, [*sources(runs), *rest.values()], map(node_of, results.prices))
    revoked = [run for run, verdict in results.verdicts.items() if verdict.state == "revoked"]
    users = lineage.descendants(graph, {record.run for record in other})
    return RepositoryLineage(graph, users, lineage.tainted(graph, revoked))


def in_order(results: Results) -> list[Submission]:
    """Return the runs of a repository, the accepted ones first, in the order of acceptance."""

    def turn(one: Submission) -> tuple:
        accepted = _accepted(results, one)
        return not accepted, results.verdicts[one.record.run].accepted if accepted else one.submitted, one.record.run

    return sorted(results.submissions.values(), key=turn)


def _accepted(results: Results, one: Submission) -> bool:
    verdict = results.verdicts.get(one.record.run)
    return verdict is not None and verdict.state in ACCEPTED


def sources(runs: Iterable[Submission]) -> list[lineage.Node]:
    """Return all declared sources; if several runs declare a source, the first one counts."""
    found: dict[str, lineage.Node] = {}
    for one in runs:
        for node in nodes(one):
            found.setdefault(node.key, node)
    return list(found.values())


def all_costs(runs: Iterable[Submission], of: RepositoryLineage) -> dict[str, Costs]:
    """Return the costs of runs by their ids."""
    return {one.record.run: costs(one, of) for one in runs}


def costs(one: Submission, of: RepositoryLineage) -> Costs:
    """Return the cost of a run's last student. Tuning runs count in every view."""
    own = _own(one.record, one.record.points[-1])
    graph = ChainMap({own.key: own}, of.nodes)
    whole = lineage.full(graph, own.key)
    totals = dict.fromkeys(VIEWS, whole)
    if own.parents:
        totals |= {
            "marginal": lineage.marginal(graph, own.key),
            "shared": lineage.shared(graph, own.key, of.users),
        }
    extra = [tuning.spent for tuning in one.tuning]
    return Costs({view: _with(total.spent, extra) for view, total in totals.items()}, whole.unpriced)


def _with(spent: dict[str, float], extra: list[dict[str, float]]) -> dict[str, float]:
    """Add the costs of tuning."""
    units = sorted({*spent, *(unit for one in extra for unit in one)}) if extra else ()
    return {unit: math.fsum(one.get(unit, 0.0) for one in (spent, *extra)) for unit in units} or spent


def full(record: RunRecord, point: Point, graph: dict[str, lineage.Node]) -> lineage.Total:
    """Return the cost of a run's student at one point, with its distinct ancestors."""
    own = _own(record, point)
    return lineage.full(ChainMap({own.key: own}, graph), own.key)


def _own(record: RunRecord, point: Point) -> lineage.Node:
    """Return a separate node for a student, even if its weights are still its teacher's."""
    above = tuple(dict.fromkeys(parent.digest or parent.reference for parent in record.parents))
    key = f"{record.run} at {point.spent.get('steps', 0.0):.0f} steps"
    return lineage.Node(key, record.run, point.spent, {}, above, "student", record.run)
