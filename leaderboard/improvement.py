"""Continual improvement: how far each new entry moves the front of score against cost.

Entries come in the order in which they were accepted, each is compared with the
front as it was then, and scores and costs are measured from the suite's fixed
anchors: a later entry never changes what an earlier one got.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

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


class Step(NamedTuple):
    """What became of a candidate."""

    name: str
    cost: float
    score: float
    confidence: float  # share of resamples in which it beats all that cost as much or less
    advances: bool
    gain: float  # of hypervolume: its improvement score on this task
    volume: float  # of the front after it


def walk(candidates: Iterable[Candidate], span: Span | None, draws: int = DRAWS) -> list[Step]:
    """Takes the candidates in their order and says which ones advance the front, how surely and how far.

    A candidate advances it if its score is above random play's 0 and above all
    that cost no more in 95 % of the resamples. Costs that are only lower bounds
    advance nothing. Without a span there is no hypervolume, and gains are NaN.
    """
    held: list[tuple[float, float, np.ndarray]] = []  # cost, score, resampled scores of the front so far
    volume, steps = 0.0, []
    for one in candidates:
        score = float(np.mean([np.mean(run) for run in one.runs]))
        rivals = [(theirs, drawn) for cost, theirs, drawn in held if cost <= one.cost]
        confidence, drawn = 0.0, None
        if score > max([0.0, *(theirs for theirs, _ in rivals)]):
            drawn = resample(one, draws)
            confidence = float(np.mean(drawn > np.max([np.zeros(draws), *(d for _, d in rivals)], axis=0)))
        gain = math.nan if span is None else 0.0
        advances = one.priced and drawn is not None and confidence >= CONFIDENCE
        if advances and drawn is not None:
            held = [each for each in held if each[0] < one.cost or each[1] > score]
            held.append((one.cost, score, drawn))
            if span is not None:
                after = hypervolume([(cost, theirs) for cost, theirs, _ in held], span)
                gain, volume = max(after - volume, 0.0), max(after, volume)
        steps.append(Step(one.name, one.cost, score, confidence, advances, gain, volume))
    return steps


def resample(one: Candidate, draws: int = DRAWS) -> np.ndarray:
    """Mean scores of resampled runs, and within each of resampled episodes: [D]. The same name, the same draws.

    An entry of a single run is as uncertain as its episodes; of several, as its runs as well.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(one.name.encode()).digest()[:8], "little"))
    within = np.stack(
        [np.asarray(run)[rng.integers(len(run), size=(draws, len(run)))].mean(axis=1) for run in one.runs]
    )
    picked = rng.integers(len(one.runs), size=(len(one.runs), draws))
    return within[picked, np.arange(draws)].mean(axis=0)


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, score) points that no other beats for as little, by cost, scores rising."""
    best, found = -math.inf, []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if score > best:
            best = score
            found.append((cost, score))
    return found


def hypervolume(points: Sequence[tuple[float, float]], span: Span) -> float:
    """The area under the front between the anchors: cost on a log scale from 0 (dear) to 1 (cheap), score from 0.

    A student as good as the teacher at the cheap end alone makes 1. What costs
    more than `dear`, or plays no better than at random, has none.
    """
    width = math.log(span.dear / span.cheap)
    area, best = 0.0, 0.0
    for cost, score in front(points):
        room = min(max(math.log(span.dear / max(cost, span.cheap)) / width, 0.0), 1.0)
        if score > best:
            area += room * (score - best)
            best = score
    return area
