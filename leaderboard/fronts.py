"""The fronts of a suite: score against cost on each task, updated entry by entry."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from .costs import Costs
from .entries import Entry, unranked
from .improvement import Candidate, CandidateOutcome, walk
from .results import Results
from .score import normalise
from .submission import Submission
from .suite import Suite
from .units import AXES

SIDES = ("full", "marginal")
Fronts = dict[str, dict[str, dict[str, list[CandidateOutcome]]]]  # task -> unit -> full or marginal -> steps


def fronts(results: Results, found: Sequence[Entry], spent: Mapping[str, Costs], suite: Suite) -> Fronts:
    """Process each task's entries in the order of acceptance, without revoked ones.

    Entries of one author accepted on one day, with no other author's in between, form a batch, because the queue
    orders them alphabetically.
    """
    turns = sorted(
        (one for one in found if one.state != "revoked" and not unranked(one, suite)),
        key=lambda one: (one.accepted, one.id),
    )
    by_task = {entry.id: entry.tasks for entry in turns}
    together = [list(batch) for _, batch in groupby(turns, _batch)]
    made: Fronts = {}
    for task, anchor in suite.tasks.items():
        here = [entry for entry in turns if task in by_task[entry.id]]
        played = {
            entry.id: tuple(_episodes(results, one, anchor.random, anchor.teacher) for one in by_task[entry.id][task])
            for entry in here
        }
        made[task] = {}
        for unit in AXES:
            made[task][unit] = {}
            for side in SIDES:
                candidates = {
                    entry.id: Candidate(
                        entry.id,
                        _mean(spent[one.record.run].views[side].get(unit, 0.0) for one in by_task[entry.id][task]),
                        played[entry.id],
                        side == "marginal"
                        or not any(spent[one.record.run].unpriced for one in by_task[entry.id][task]),
                    )
                    for entry in here
                }
                batches = [[candidates[entry.id] for entry in batch if entry.id in candidates] for batch in together]
                made[task][unit][side] = walk(batches, anchor.costs.get(unit))
    return made


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
