"""Whether a claim agrees with the maintainer's own episodes. Nothing of the tolerance is the submitter's."""

from statistics import NormalDist

import numpy as np

LEAST = 30  # episodes of a re-evaluation: the spread of fewer says little
FIRST = 0.01  # of the honest claims are looked at again,
FALSE = 1e-4  # and fewer than this share of the honest runs fail the second look at any of their points
AGAIN = 4  # times as many new episodes
FLOOR = 0.01  # of the way from random play to the teacher: episodes that all end alike leave no spread at all


def looks(points: int) -> tuple[tuple[int, float], ...]:
    """(times as many episodes, chance of failing it honestly) of the first and the last look at each of the points."""
    return (1, FIRST), (AGAIN, FALSE / max(points, 1))


def interval(ours, count: int, chance: float, span: float) -> tuple[float, float]:
    """Where the mean of `count` honest episodes lies but for this chance, given the returns of our own: [E].

    The spread is that of our episodes, since theirs might be made up. `span`: from random play to the teacher.
    Student's t by its expansion for large samples (Fisher and Cornish, 1960).
    """
    ours = np.asarray(ours, float)
    spread = float(ours.std(ddof=1)) if ours.size > 1 else 0.0
    z, free = NormalDist().inv_cdf(1.0 - chance / 2.0), max(ours.size - 1, 1)
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    width = t * spread * float(np.sqrt(1.0 / ours.size + 1.0 / max(count, 1)))
    width = max(width, FLOOR * (abs(span) or abs(float(ours.mean())) or 1.0))
    return float(ours.mean()) - width, float(ours.mean()) + width
