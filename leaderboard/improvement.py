"""Continual improvement: how far each new entry moves the front of score against cost.

Entries come in the order in which they were accepted, those that were accepted
together as one batch. Each is compared with the front as it was before its
batch, and scores and costs are measured from the suite's fixed anchors: a later
batch never changes what an earlier one got, and within a batch there is no order.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .score import DRAWS
from .suite import Span

CONFIDENCE = 0.95


class Candidate(NamedTuple):
    """One entry on one task."""

    name: str  # says which entry it is, and seeds its resamples
    cost: float
    runs: tuple[tuple[float, ...], ...]  # of each run the normalised scores of its episodes
    priced: bool = True  # False if an ancestor's cost is unknown: then its cost is a lower bound only


class CandidateOutcome(NamedTuple):
    """What became of a candidate."""

    name: str
    cost: float
    score: float
    confidence: float  # share of resamples in which it beats all before its batch that cost as much or less
    advances: bool
    gain: float  # of hypervolume: its improvement score on this task
    volume: float  # of the front after its batch


def walk(batches: Iterable[Sequence[Candidate]], span: Span | None, draws: int = DRAWS) -> list[CandidateOutcome]:
    """Take the batches in their order and return which candidates advance the front, how surely and how far.

    A candidate advances it if its score is above random play's 0 and above all
    that cost no more in 95 % of the resamples. Costs that are only lower bounds
    advance nothing. What a batch adds is shared by those of it who cover it (`shares`). Without a span there is no
    hypervolume, and gains are NaN.
    """
    held: list[tuple[float, float, np.ndarray]] = []  # cost, score, resampled scores of the front so far
    steps: list[CandidateOutcome] = []
    for batch in batches:
        judged = [(one, *_against(held, one, draws)) for one in batch]
        ahead = [
            (one, score, drawn)
            for one, score, confidence, drawn in judged
            if one.priced and drawn is not None and confidence >= CONFIDENCE
        ]
        before = [(cost, score) for cost, score, _ in held]
        gained = shares({one.name: (one.cost, score) for one, score, _ in ahead}, before, span) if span else {}
        held = _front([*held, *((one.cost, score, drawn) for one, score, drawn in ahead)])
        volume = hypervolume([(cost, score) for cost, score, _ in held], span) if span else 0.0
        advance = {one.name for one, *_ in ahead}
        for one, score, confidence, _ in judged:
            gain = gained.get(one.name, 0.0) if span else math.nan
            steps.append(CandidateOutcome(one.name, one.cost, score, confidence, one.name in advance, gain, volume))
    return steps


def shares(new: Mapping[str, tuple[float, float]], old: Sequence[tuple[float, float]], span: Span) -> dict[str, float]:
    """Split the hypervolume that new (cost, score) points add to old ones: what several cover is divided evenly.

    That is each one's mean gain over all orders in which they could have come (Shapley, 1953).
    """
    names, gained = list(new), np.zeros(len(new))
    rooms, scores = np.array([[_room(cost, span), score] for cost, score in new.values()]).reshape(-1, 2).T
    theirs, heights = np.array([[_room(cost, span), score] for cost, score in old]).reshape(-1, 2).T
    for left, right in pairwise(np.unique([0.0, *rooms, *theirs])):
        floor = max(0.0, heights[theirs >= right].max(initial=0.0))
        covering = np.flatnonzero((rooms >= right) & (scores > floor))
        covering = covering[np.argsort(scores[covering])]
        each = np.diff(scores[covering], prepend=floor) / np.arange(len(covering), 0, -1)  # of one layer, for one of it
        gained[covering] += (right - left) * np.cumsum(each)
    return dict(zip(names, gained.tolist(), strict=True))


def _against(held, one: Candidate, draws: int) -> tuple[float, float, np.ndarray | None]:
    """Return a candidate's score, the share of resamples in which it beats the front, and these."""
    score = float(np.mean([np.mean(run) for run in one.runs]))
    rivals = [(theirs, drawn) for cost, theirs, drawn in held if cost <= one.cost]
    if score <= max([0.0, *(theirs for theirs, _ in rivals)]):
        return score, 0.0, None
    drawn = resample(one, draws)
    return score, float(np.mean(drawn > np.max([np.zeros(draws), *(d for _, d in rivals)], axis=0))), drawn


def _front(points: Sequence[tuple[float, float, Any]]) -> list[tuple[float, float, Any]]:
    """Return the points that no other beats for as little; equal ones all stay."""
    return [
        point
        for point in points
        if not any(c <= point[0] and s >= point[1] and (c, s) != point[:2] for c, s, _ in points)
    ]


def resample(one: Candidate, draws: int = DRAWS) -> np.ndarray:
    """Return the mean scores of resampled runs, and within each of resampled episodes: [D]. The same name, the same
    draws.

    An entry of a single run is as uncertain as its episodes; of several, as its runs as well.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(one.name.encode()).digest()[:8], "little"))
    within = np.stack(
        [np.asarray(run)[rng.integers(len(run), size=(draws, len(run)))].mean(axis=1) for run in one.runs]
    )
    picked = rng.integers(len(one.runs), size=(len(one.runs), draws))
    return within[picked, np.arange(draws)].mean(axis=0)


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the (cost, score) points that no other beats for as little, by cost, scores rising."""
    best, found = -math.inf, []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if score > best:
            best = score
            found.append((cost, score))
    return found


def hypervolume(points: Sequence[tuple[float, float]], span: Span) -> float:
    """Return the area under the front between the anchors: cost on a log scale from 0 (dear) to 1 (cheap), score from
    0.

    A student as good as the teacher at the cheap end alone makes 1. What costs
    more than `dear`, or plays no better than at random, has none.
    """
    area, best = 0.0, 0.0
    for cost, score in front(points):
        if score > best:
            area += _room(cost, span) * (score - best)
            best = score
    return area


def _room(cost: float, span: Span) -> float:
    """Return how far below `dear` a cost is on the log scale: 1 at `cheap` or less, 0 at `dear` or more."""
    width = math.log(span.dear / span.cheap)
    return min(max(math.log(span.dear / max(cost, span.cheap)) / width, 0.0), 1.0)
