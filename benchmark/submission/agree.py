"""Whether a claim agrees with the maintainer's own episodes. Nothing of the tolerance is the submitter's."""

from statistics import NormalDist

import numpy as np

LEAST = 30  # episodes of a re-evaluation: the spread of fewer says little
FIRST = 0.01  # of the honest claims are looked at again,
FALSE = 1e-4  # and fewer than this share of the honest runs fail the second look at any of their points
AGAIN = 8  # times as many new episodes
FLOOR = 0.01  # of the way from random play to the teacher: episodes that all end alike leave no spread at all


def looks(points: int) -> tuple[tuple[int, float], ...]:
    """Return (times as many episodes, chance of failing it honestly) of the first and the
    last look at each of the points."""
    return (1, FIRST), (AGAIN, FALSE / max(points, 1))


def interval(ours, count: int, chance: float, span: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval that the mean of `count` honest episodes leaves with this chance, given our own returns:
    [...,
    E].

    Spread and skewness are those of our episodes, since theirs might be made up: Student's t, and the expansion of
    Cornish and Fisher (1938) for the difference of the two means, since returns are skewed: the rare long episode is in
    one of the two. `span`: from random play to the teacher.
    """
    ours = np.asarray(ours, float)
    n, mean = ours.shape[-1], ours.mean(axis=-1)
    off = ours - mean[..., None]
    second = (off**2).sum(axis=-1) / max(n - 1, 1)
    third, fourth = (off**3).mean(axis=-1), (off**4).mean(axis=-1) - 3.0 * second**2
    spread = np.sqrt(second * (1.0 / n + 1.0 / max(count, 1)))
    size = np.where(spread > 0.0, spread, 1.0)
    skew = third * (1.0 / max(count, 1) ** 2 - 1.0 / n**2) / size**3
    tails = np.maximum(fourth, 0.0) * (1.0 / max(count, 1) ** 3 + 1.0 / n**3) / size**4
    z, free = NormalDist().inv_cdf(1.0 - chance / 2.0), max(n - 1, 1)
    z += (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    even = z + tails * (z**3 - 3.0 * z) / 24.0
    high = np.maximum(even + np.maximum(skew, 0.0) * (z**2 - 1.0) / 6.0, z)
    low = np.maximum(even + np.maximum(-skew, 0.0) * (z**2 - 1.0) / 6.0, z)
    floor = FLOOR * (abs(span) or np.maximum(np.abs(mean), 1e-3))
    return mean - np.maximum(low * spread, floor), mean + np.maximum(high * spread, floor)
