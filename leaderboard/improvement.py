"""Continual improvement: how far each new entry moves the front of score against cost.

Entries are processed in the order of acceptance; entries accepted together form a batch. Each is compared with the
front before its batch, and scores and costs are measured from the suite's fixed anchors. So a later batch never changes
an earlier entry's improvement, and the order within a batch does not matter.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .score import DRAWS
from .suite import Span

CONFIDENCE = 0.95


class Candidate(NamedTuple):
    """One entry on one task."""

    name: str  # identifies the entry, and seeds its resamples
    cost: float
    runs: tuple[tuple[float, ...], ...]  # by run: the normalised scores of its episodes
    priced: bool = True  # False if an ancestor's cost is unknown, which makes its cost a lower bound


class CandidateOutcome(NamedTuple):
    """Whether a candidate advanced the front, and how far."""

    name: str
    cost: float
    score: float
    confidence: float  # share of resamples in which it beats all earlier entries of at most its cost
    advances: bool
    gain: float  # of hypervolume: the improvement score on this task
    volume: float  # of the front after its batch


def walk(batches: Iterable[Sequence[Candidate]], span: Span | None, draws: int = DRAWS) -> list[CandidateOutcome]:
    """Process the batches in order; return which candidates advance the front, how confidently and how far.

    A candidate advances the front if in 95 % of the resamples its score is above 0 (random play) and above all earlier
    ones of at most its cost. A cost that is only a lower bound advances nothing. The hypervolume that a batch adds is
    split among its entries (`shares`). Without a span there is no hypervolume, and gains are NaN.
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
    """Split the hypervolume that new (cost, score) points add to old ones; overlaps are divided evenly.

    This is each point's mean gain over all orders of arrival (Shapley, 1953).
    """
    names, gained = list(new), np.zeros(len(new))
    rooms, scores = np.array([[_room(cost, span), score] for cost, score in new.values()]).reshape(-1, 2).T
    theirs, heights = np.array([[_room(cost, span), score] for cost, score in old]).reshape(-1, 2).T
    for left, right in pairwise(np.unique([0.0, *rooms, *theirs])):
        floor = max(0.0, heights[theirs >= right].max(initial=0.0))
        covering = np.flatnonzero((rooms >= right) & (scores > floor))
        covering = covering[np.argsort(scores[covering])]
        each = np.diff(scores[covering], prepend=floor) / np.arange(
            len(covering), 0, -1
        )  # one point's part of each layer
        gained[covering] += (right - left) * np.cumsum(each)
    return dict(zip(names, gained.tolist(), strict=True))


def _against(held, one: Candidate, draws: int) -> tuple[float, float, np.ndarray | None]:
    """Return a candidate's score, the share of resamples in which it beats the front, and the resamples."""
    score = _score(one.runs)
    rivals = [(theirs, drawn) for cost, theirs, drawn in held if cost <= one.cost]
    if score <= max([0.0, *(theirs for theirs, _ in rivals)]):
        return score, 0.0, None
    drawn = _resampled(one.name, one.runs, draws)
    return score, float(np.mean(drawn > np.max([np.zeros(draws), *(d for _, d in rivals)], axis=0))), drawn


def _front(points: Sequence[tuple[float, float, Any]]) -> list[tuple[float, float, Any]]:
    """Return the points that no other dominates; equal points all stay."""
    return [
        point
        for point in points
        if not any(c <= point[0] and s >= point[1] and (c, s) != point[:2] for c, s, _ in points)
    ]


def resample(one: Candidate, draws: int = DRAWS) -> np.ndarray:
    """Return the mean scores [D] of resampled runs with resampled episodes. The name seeds the draws.

    The uncertainty of a single run is that of its episodes; of several runs, that between runs as well.
    """
    return _resampled(one.name, one.runs, draws)


@lru_cache(maxsize=1024)  # every entry is compared along each axis and in each view
def _resampled(name: str, runs: tuple[tuple[float, ...], ...], draws: int) -> np.ndarray:
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    within = np.stack([np.asarray(run)[rng.integers(len(run), size=(draws, len(run)))].mean(axis=1) for run in runs])
    picked = rng.integers(len(runs), size=(len(runs), draws))
    drawn = within[picked, np.arange(draws)].mean(axis=0)
    drawn.flags.writeable = False
    return drawn


@lru_cache(maxsize=1024)
def _score(runs: tuple[tuple[float, ...], ...]) -> float:
    return float(np.mean([np.mean(run) for run in runs]))


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the undominated (cost, score) points, by cost, with rising scores."""
    best, found = -math.inf, []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if score > best:
            best = score
            found.append((cost, score))
    return found


def hypervolume(points: Sequence[tuple[float, float]], span: Span) -> float:
    """Return the area under the front between the anchors: log cost from 0 (dear) to 1 (cheap), score from 0.

    A student as good as the teacher at the cheap end gives 1. Points that cost more than `dear`, or play no better than
    random, add nothing.
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
