"""The fronts of a suite: score against cost on each task, updated entry by entry."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, groupby

from .costs import Costs
from .entries import Entry, unranked
from .improvement import Candidate, CandidateOutcome, walk
from .kept import Kept
from .results import Results
from .score import normalise
from .submission import Submission
from .suite import Anchor, Suite
from .units import AXES

SIDES = ("full", "marginal")
Fronts = dict[str, dict[str, dict[str, list[CandidateOutcome]]]]  # task -> unit -> full or marginal -> steps


def fronts(results: Results, found: Sequence[Entry], spent: Mapping[str, Costs], suite: Suite, kept: Kept) -> Fronts:
    """Process each task's entries in the order of acceptance, without revoked ones.

    Entries of one author accepted on one day, with no other author's in between, form a batch, because the queue
    orders them alphabetically.
    """
    turns = sorted(
        (one for one in found if one.state != "revoked" and not unranked(one, suite)),
        key=lambda one: (one.accepted, one.id),
    )
    together = [list(batch) for _, batch in groupby(turns, _batch)]
    made: Fronts = {}
    for task, anchor in suite.tasks.items():
        batches = [here for batch in together if (here := [one for one in batch if task in one.tasks])]
        each = [[entry.content, [spent[one.record.run] for one in entry.tasks[task]]] for entry in chain(*batches)]
        names = [[entry.id for entry in batch] for batch in batches]
        walked = kept.value(
            "front",
            [task, anchor.model_dump_json(), repr(names), repr(each)],
            partial(_walked, results, batches, spent, task, anchor),
        )
        made[task] = {
            unit: {side: [CandidateOutcome(*step) for step in steps] for side, steps in sides.items()}
            for unit, sides in walked.items()
        }
    return made


def _walked(
    results: Results, batches: Sequence[Sequence[Entry]], spent: Mapping[str, Costs], task: str, anchor: Anchor
) -> dict[str, dict[str, list[tuple]]]:
    """Return the steps of one task, by unit and side, as plain tuples."""
    played = {
        entry.id: tuple(_episodes(results, one, anchor.random, anchor.teacher) for one in entry.tasks[task])
        for entry in chain(*batches)
    }

    def candidate(entry: Entry, unit: str, side: str) -> Candidate:
        costs = [spent[one.record.run] for one in entry.tasks[task]]
        cost = _mean(one.views[side].get(unit, 0.0) for one in costs)
        return Candidate(entry.id, cost, played[entry.id], side == "marginal" or not any(c.unpriced for c in costs))

    return {
        unit: {
            side: [
                tuple(step)
                for step in walk(
                    [[candidate(entry, unit, side) for entry in batch] for batch in batches], anchor.costs.get(unit)
                )
            ]
            for side in SIDES
        }
        for unit in AXES
    }


def gains(made: Fronts, unit: str, side: str) -> dict[str, float]:
    """Return improvement scores in a suite: the mean hypervolume gained over all tasks; NaN without anchors."""
    totals: dict[str, float] = {}
    for task in made.values():
        for step in task[unit][side]:
            totals[step.name] = totals.get(step.name, 0.0) + step.gain
    return {name: total / len(made) for name, total in totals.items()}


def _batch(entry: Entry) -> tuple[str, str]:
    """Return the key of entries that are judged together: author and day."""
    return entry.runs[0].author, entry.accepted.partition("T")[0]


def _episodes(results: Results, one: Submission, random: float, teacher: float) -> tuple[float, ...]:
    """Return the normalised scores of the last student's episodes, as played by a maintainer."""
    judged = results.verdicts[one.record.run].rescored
    return tuple(normalise(judged.returns, random, teacher).tolist()) if judged else ()


def _mean(amounts: Iterable[float]) -> float:
    each = list(amounts)
    return math.fsum(each) / len(each)
